/**
 * From a gateway dispatch to an event. Types end here: what has the wrong shape, and what this version does not know, is dropped
 * (`null`), because a newer instance must not break an older client.
 */
import type { Channel, FullGuild, Guild, Id, Member, Message, ReadState, User } from "../wire.ts";
import type { GatewayEvent, GuildSize } from "./events.ts";

type Fields = Record<string, unknown>;

/** Decodes the body `d` of a dispatch named `t`. */
export function decode(t: string, d: unknown): GatewayEvent | null {
  if (!isFields(d)) return null;
  switch (t) {
    case "READY":
      return isUser(d.user) && Array.isArray(d.guilds)
        ? {
            type: "ready",
            user: d.user,
            guildIds: d.guilds.filter(hasId).map((guild) => guild.id),
            reads: list(d.read_state).filter(isReadState),
          }
        : null;
    case "RESUMED":
      return { type: "resumed" };
    case "GUILD_CREATE":
      return isFullGuild(d) ? { type: "guild_create", guild: d } : null;
    case "GUILD_UPDATE":
      return isGuild(d) ? { type: "guild_update", guild: d } : null;
    case "GUILD_DELETE":
      return hasId(d) && d.unavailable !== true ? { type: "guild_delete", id: d.id } : null;
    case "GUILD_MEMBER_ADD":
      return isMember(d) && isId(d.guild_id) ? { type: "guild_member_add", guildId: d.guild_id, member: d, ...guildSize(d) } : null;
    case "GUILD_MEMBER_REMOVE":
      return isUser(d.user) && isId(d.guild_id)
        ? { type: "guild_member_remove", guildId: d.guild_id, user: d.user, ...guildSize(d) }
        : null;
    case "CHANNEL_CREATE":
      return isChannel(d) ? { type: "channel_create", channel: d } : null;
    case "CHANNEL_UPDATE":
      return isChannel(d) ? { type: "channel_update", channel: d } : null;
    case "CHANNEL_DELETE":
      return hasId(d) ? { type: "channel_delete", id: d.id } : null;
    case "MESSAGE_CREATE":
      return isMessage(d) ? { type: "message_create", message: d, member: isMemberPart(d.member) ? d.member : null } : null;
    case "MESSAGE_ACK":
      return isId(d.channel_id) && isId(d.message_id) ? { type: "message_ack", channelId: d.channel_id, messageId: d.message_id } : null;
    case "TYPING_START":
      return decodeTyping(d);
    default:
      return null;
  }
}

function decodeTyping(d: Fields): GatewayEvent | null {
  if (!isId(d.channel_id) || !isId(d.user_id) || typeof d.timestamp !== "number") return null;
  return {
    type: "typing_start",
    channelId: d.channel_id,
    guildId: isId(d.guild_id) ? d.guild_id : null,
    userId: d.user_id,
    startedAtMs: d.timestamp * 1000,
    member: isMember(d.member) ? d.member : null,
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is Id {
  return typeof value === "string" && /^\d{1,20}$/.test(value);
}

function hasId(value: unknown): value is Fields & { id: Id } {
  return isFields(value) && isId(value.id);
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function guildSize(d: Fields): GuildSize {
  return {
    memberCount: typeof d.member_count === "number" ? d.member_count : null,
    large: typeof d.large === "boolean" ? d.large : null,
  };
}

function isUser(value: unknown): value is User {
  return hasId(value) && typeof value.username === "string";
}

function isReadState(value: unknown): value is ReadState {
  return hasId(value) && (value.last_message_id === null || isId(value.last_message_id));
}

function isMemberPart(value: unknown): value is Omit<Member, "user"> {
  return isFields(value) && Array.isArray(value.roles) && typeof value.joined_at === "string";
}

function isMember(value: unknown): value is Member & Fields {
  return isMemberPart(value) && isUser((value as Fields).user);
}

function isChannel(value: unknown): value is Channel & Fields {
  return hasId(value) && isId(value.guild_id) && typeof value.name === "string" && Array.isArray(value.permission_overwrites);
}

function isGuild(value: unknown): value is Guild & Fields {
  return hasId(value) && typeof value.name === "string" && isId(value.owner_id) && Array.isArray(value.roles);
}

function isFullGuild(value: unknown): value is FullGuild & Fields {
  if (!isGuild(value)) return false;
  return list(value.channels).every((channel) => isFields(channel)) && list(value.members).every(isMember);
}

function isMessage(value: unknown): value is Message & Fields {
  return (
    hasId(value) &&
    isId(value.channel_id) &&
    isUser(value.author) &&
    typeof value.content === "string" &&
    typeof value.timestamp === "string"
  );
}
