/**
 * The one reducer. It reads no clock and does no I/O, so a state and a list of events always give the same state, and the law
 * `apply(READY before, events) == READY after` can be tested with recorded transcripts.
 */
import { compareIds, isNewer, newestId } from "../ids.ts";
import type { Channel, FullGuild, Guild, Id, Member, Message, User } from "../wire.ts";
import { assertNever, type GuildSize, type StoreEvent } from "./events.ts";
import { mayReadHistory } from "./selectors.ts";
import {
  type ChannelRecord,
  type Echo,
  emptyState,
  filtered,
  type GuildRecord,
  type MemberRecord,
  type State,
  type Table,
  withEntry,
  withoutEntry,
} from "./state.ts";
import { merge, withLive } from "./windows.ts";

/** How long a typing notice holds after it was given. */
export const TYPING_MS = 10_000;

/** The state after an event. Gives the same object back if nothing changed. */
export function apply(state: State, event: StoreEvent): State {
  switch (event.type) {
    case "ready":
      return ready(state, event.user, event.guildIds, event.reads);
    case "resumed":
      return state;
    case "guild_create":
      return putGuild(state, event.guild);
    case "guild_update":
      return updateGuild(state, event.guild);
    case "guild_delete":
      return dropGuild(state, event.id);
    case "guild_member_add":
      return putMember(sized(state, event.guildId, event), event.guildId, event.member);
    case "guild_member_remove":
      return dropMember(sized(state, event.guildId, event), event.guildId, event.user.id);
    case "channel_create":
    case "channel_update":
      return putChannel(state, event.channel);
    case "channel_delete":
      return dropChannels(state, (channel) => channel.id === event.id);
    case "message_create":
      return putMessage(state, event.message, event.member);
    case "message_ack":
    case "read_marked":
      return markRead(state, event.channelId, event.messageId);
    case "typing_start":
      return putTyping(state, event.channelId, event.userId, event.startedAtMs, event.guildId, event.member);
    case "history_loaded":
      return loadHistory(state, event.channelId, event.page, event.messages);
    case "members_loaded":
      return loadMembers(state, event.guildId, event.members);
    case "window_dropped":
      return { ...state, windows: withoutEntry(state.windows, event.channelId) };
    case "echo_put":
      return putEcho(state, event.echo);
    case "echo_dropped":
      return dropEchoes(state, (echo) => echo.nonce === event.nonce);
    case "typing_expired":
      return expireTyping(state, event.nowMs);
    case "me_changed":
      return { ...putUser(state, event.user), me: event.user };
    case "connection_changed":
      return { ...state, connection: event.connection };
    case "logged_out":
      return { ...emptyState, connection: { status: "ended", successor: event.successor ?? null } };
    default:
      return assertNever(event);
  }
}

/** Guilds that are gone are dropped; those that remain stay on screen until their GUILD_CREATE replaces them. */
function ready(state: State, user: User, guildIds: readonly Id[], reads: readonly { id: Id; last_message_id: Id | null }[]): State {
  const kept = new Set(guildIds);
  const pruned = [...state.guilds.keys()].filter((id) => !kept.has(id)).reduce(dropGuild, state);
  const windows = new Map([...pruned.windows].map(([id, window]) => [id, { ...window, stale: true, hasMoreAfter: true }]));
  return {
    ...putUser(pruned, user),
    me: user,
    awaited: new Set(guildIds),
    reads: new Map(reads.flatMap((read) => (read.last_message_id ? [[read.id, read.last_message_id]] : []))),
    windows,
    typing: new Map(),
  };
}

function putGuild(state: State, guild: FullGuild): State {
  const { channels = [], members = [], ...rest } = guild;
  const record: GuildRecord = {
    ...pickGuild(rest),
    joined_at: guild.joined_at ?? null,
    large: guild.large ?? false,
    member_count: guild.member_count ?? members.length,
  };
  const named = new Set(channels.map((channel) => channel.id));
  const pruned = dropChannels(state, (channel) => channel.guild_id === guild.id && !named.has(channel.id));
  const channelTable = new Map(pruned.channels);
  for (const channel of channels) channelTable.set(channel.id, pickChannel({ ...channel, guild_id: guild.id }));
  return {
    ...pruned,
    users: withUsers(
      pruned.users,
      members.map((member) => member.user),
    ),
    guilds: withEntry(pruned.guilds, guild.id, record),
    channels: channelTable,
    members: withEntry(pruned.members, guild.id, new Map(members.map((member) => [member.user.id, pickMember(member)]))),
    partial: withoutEntry(pruned.partial, guild.id),
    awaited: withoutAwaited(pruned.awaited, guild.id),
  };
}

function updateGuild(state: State, guild: Guild): State {
  const known = state.guilds.get(guild.id);
  if (!known) return state;
  return { ...state, guilds: withEntry(state.guilds, guild.id, { ...known, ...pickGuild(guild) }) };
}

function dropGuild(state: State, id: Id): State {
  const awaited = withoutAwaited(state.awaited, id);
  if (!state.guilds.has(id)) return awaited === state.awaited ? state : { ...state, awaited };
  const pruned = dropChannels(state, (channel) => channel.guild_id === id);
  return {
    ...pruned,
    awaited,
    guilds: withoutEntry(pruned.guilds, id),
    members: withoutEntry(pruned.members, id),
    partial: withoutEntry(pruned.partial, id),
  };
}

/**
 * Takes over the absolute size that a join or a departure carries. A guild that becomes large keeps the viewer alone, as READY would
 * tell it. Of one that is no longer large the list is not known until REST gives it.
 */
function sized(state: State, guildId: Id, { memberCount, large }: GuildSize): State {
  const guild = state.guilds.get(guildId);
  if (!guild) return state;
  const record = { ...guild, member_count: memberCount ?? guild.member_count, large: large ?? guild.large };
  if (record.member_count === guild.member_count && record.large === guild.large) return state;
  const next = { ...state, guilds: withEntry(state.guilds, guildId, record) };
  if (record.large === guild.large) return next;
  if (!record.large) return state.partial.has(guildId) ? next : { ...next, partial: withEntry(state.partial, guildId, new Map()) };
  const own = filtered(state.members.get(guildId) ?? new Map<Id, MemberRecord>(), (_, id) => id === state.me?.id);
  return { ...next, members: withEntry(state.members, guildId, own) };
}

function putMember(before: State, guildId: Id, member: Member): State {
  const state = noted(before, guildId, member.user.id, member);
  const table = state.members.get(guildId);
  // Of a large guild only a part is held; who joins it is not added to that part.
  if (!table || (state.guilds.get(guildId)?.large && !table.has(member.user.id))) return state;
  return {
    ...putUser(state, member.user),
    members: withEntry(state.members, guildId, withEntry(table, member.user.id, pickMember(member))),
  };
}

function dropMember(before: State, guildId: Id, userId: Id): State {
  const state = noted(before, guildId, userId, null);
  const table = state.members.get(guildId);
  if (!table?.has(userId)) return state;
  return { ...state, members: withEntry(state.members, guildId, withoutEntry(table, userId)) };
}

/** Remembers what was heard of a member while the guild's list is on its way: the list may be older. */
function noted(state: State, guildId: Id, userId: Id, member: Member | null): State {
  const heard = state.partial.get(guildId);
  return heard ? { ...state, partial: withEntry(state.partial, guildId, withEntry(heard, userId, member)) } : state;
}

function loadMembers(state: State, guildId: Id, members: readonly Member[]): State {
  const heard = state.partial.get(guildId);
  if (!heard) return state;
  const next = { ...state, partial: withoutEntry(state.partial, guildId) };
  if (state.guilds.get(guildId)?.large) return next;
  const listed = new Map(members.map((member): [Id, Member | null] => [member.user.id, member]));
  const present = [...new Map([...listed, ...heard]).values()].filter((member) => member !== null);
  return {
    ...next,
    users: withUsers(
      state.users,
      present.map((member) => member.user),
    ),
    members: withEntry(state.members, guildId, new Map(present.map((member) => [member.user.id, pickMember(member)]))),
  };
}

/** Marks only ever advance, here as at the instance; one that comes late changes nothing. */
function markRead(state: State, channelId: Id, messageId: Id): State {
  const known = state.reads.get(channelId);
  const reads = withEntry(state.reads, channelId, newestId(known, messageId) ?? messageId);
  return reads === state.reads ? state : { ...state, reads };
}

function putChannel(state: State, channel: Channel): State {
  if (!state.guilds.has(channel.guild_id)) return state;
  return { ...state, channels: withEntry(state.channels, channel.id, pickChannel(channel)) };
}

/** Read marks stay: a channel that is hidden and shown again was read as far as before. */
function dropChannels(state: State, gone: (channel: ChannelRecord) => boolean): State {
  const channels = filtered(state.channels, (channel) => !gone(channel));
  if (channels === state.channels) return state;
  const keep = (_: unknown, id: Id) => channels.has(id);
  return {
    ...state,
    channels,
    windows: filtered(state.windows, keep),
    typing: filtered(state.typing, keep),
    echoes: state.echoes.filter((echo) => channels.has(echo.channelId)),
  };
}

function putMessage(state: State, message: Message, member: Omit<Member, "user"> | null): State {
  const channel = state.channels.get(message.channel_id);
  if (!channel) return state;
  const window = state.windows.get(channel.id);
  const mine = message.author.id === state.me?.id;
  let next: State = {
    ...putUser(state, message.author),
    channels: withEntry(state.channels, channel.id, withLastMessage(channel, message.id)),
    reads: mine && isNewer(message.id, state.reads.get(channel.id)) ? withEntry(state.reads, channel.id, message.id) : state.reads,
    windows: window ? withEntry(state.windows, channel.id, withLive(window, message)) : state.windows,
    typing: withoutTyping(state.typing, channel.id, message.author.id),
  };
  if (member) next = refreshMember(next, channel.guild_id, message.author, member);
  return mine ? dropEchoes(next, (echo) => isEchoOf(echo, message)) : next;
}

/** Roles and nick may have changed; somebody unknown (who has left, or a large guild) is not added. */
function refreshMember(state: State, guildId: Id, user: User, part: Omit<Member, "user">): State {
  const known = state.members.get(guildId)?.get(user.id);
  if (!known) return state;
  const record = pickMember({ ...part, user });
  if (known.nick === record.nick && known.joined_at === record.joined_at && sameIds(known.roles, record.roles)) return state;
  return putMember(state, guildId, { ...part, user });
}

function loadHistory(state: State, channelId: Id, page: Parameters<typeof merge>[1], messages: readonly Message[]): State {
  const channel = state.channels.get(channelId);
  if (!channel) return state;
  const ids = new Set(messages.map((message) => message.id));
  const newest = mayReadHistory(state, channelId) ? channel.last_message_id : "unreadable";
  const next: State = {
    ...state,
    users: withUsers(
      state.users,
      messages.map((message) => message.author),
    ),
    windows: withEntry(state.windows, channelId, merge(state.windows.get(channelId), page, messages, newest)),
  };
  return dropEchoes(next, (echo) => echo.message !== null && ids.has(echo.message.id));
}

/** A message that the gateway or history has shown already needs no echo. */
function putEcho(state: State, echo: Echo): State {
  const shown = echo.message && state.windows.get(echo.channelId)?.messages.some((message) => message.id === echo.message?.id);
  if (shown) return dropEchoes(state, (other) => other.nonce === echo.nonce);
  const index = state.echoes.findIndex((other) => other.nonce === echo.nonce);
  if (index >= 0) return { ...state, echoes: state.echoes.with(index, echo) };
  // The answer to a message whose event came first: the event dropped the echo for good.
  if (echo.status === "sent") return state;
  return { ...state, echoes: [...state.echoes, echo] };
}

function dropEchoes(state: State, gone: (echo: Echo) => boolean): State {
  const echoes = state.echoes.filter((echo) => !gone(echo));
  return echoes.length === state.echoes.length ? state : { ...state, echoes };
}

function isEchoOf(echo: Echo, message: Message): boolean {
  if (echo.channelId !== message.channel_id) return false;
  return echo.message?.id === message.id || (message.nonce !== undefined && message.nonce !== null && echo.nonce === String(message.nonce));
}

function putTyping(state: State, channelId: Id, userId: Id, startedAtMs: number, guildId: Id | null, member: Member | null): State {
  if (!state.channels.has(channelId) || userId === state.me?.id) return state;
  const known = member && guildId ? putUser(state, member.user) : state;
  const notices = withEntry(known.typing.get(channelId) ?? new Map<Id, number>(), userId, startedAtMs + TYPING_MS);
  return { ...known, typing: withEntry(known.typing, channelId, notices) };
}

function withoutTyping(typing: State["typing"], channelId: Id, userId: Id): State["typing"] {
  const notices = typing.get(channelId);
  return notices?.has(userId) ? withEntry(typing, channelId, withoutEntry(notices, userId)) : typing;
}

function expireTyping(state: State, nowMs: number): State {
  let typing = state.typing;
  for (const [channelId, notices] of state.typing) {
    const rest = filtered(notices, (endsAtMs) => endsAtMs > nowMs);
    typing = rest.size === 0 ? withoutEntry(typing, channelId) : withEntry(typing, channelId, rest);
  }
  return typing === state.typing ? state : { ...state, typing };
}

function putUser(state: State, user: User): State {
  const users = withUsers(state.users, [user]);
  return users === state.users ? state : { ...state, users };
}

function withUsers(users: Table<User>, seen: readonly User[]): Table<User> {
  let copy: Map<Id, User> | null = null;
  for (const user of seen) {
    const known = (copy ?? users).get(user.id);
    if (known && known.username === user.username && known.global_name === user.global_name && known.avatar === user.avatar) continue;
    copy ??= new Map(users);
    copy.set(user.id, {
      id: user.id,
      username: user.username,
      global_name: user.global_name ?? null,
      avatar: user.avatar ?? null,
      bot: user.bot ?? false,
    });
  }
  return copy ?? users;
}

function withLastMessage(channel: ChannelRecord, messageId: Id): ChannelRecord {
  return isNewer(messageId, channel.last_message_id) ? { ...channel, last_message_id: messageId } : channel;
}

function withoutAwaited(awaited: ReadonlySet<Id> | null, id: Id): ReadonlySet<Id> | null {
  if (!awaited?.has(id)) return awaited;
  return new Set([...awaited].filter((other) => other !== id));
}

function sameIds(a: readonly Id[], b: readonly Id[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

function pickGuild(guild: Guild): Pick<GuildRecord, "id" | "name" | "icon" | "owner_id" | "roles"> {
  const roles = [...guild.roles].sort((a, b) => a.position - b.position || compareIds(a.id, b.id));
  return { id: guild.id, name: guild.name, icon: guild.icon, owner_id: guild.owner_id, roles };
}

function pickChannel(channel: Channel): ChannelRecord {
  return {
    id: channel.id,
    type: channel.type,
    guild_id: channel.guild_id,
    name: channel.name,
    topic: channel.topic ?? null,
    position: channel.position,
    last_message_id: channel.last_message_id ?? null,
    permission_overwrites: channel.permission_overwrites ?? [],
  };
}

function pickMember(member: Member): MemberRecord {
  return { userId: member.user.id, nick: member.nick ?? null, roles: member.roles, joined_at: member.joined_at };
}
