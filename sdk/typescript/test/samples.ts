/** Wire objects for tests. */
import type { Channel, FullGuild, Member, Message, User } from "../src/wire.ts";

export const at = "2026-11-20T09:00:00.000000+00:00";

export function user(id: string, username = `user${id}`): User {
  return { id, username, global_name: null, avatar: null, bot: false };
}

export function member(id: string, joined_at = at): Member {
  return { user: user(id), nick: null, roles: [], joined_at };
}

export function channel(id: string, last_message_id: string | null = null, guild_id = "1"): Channel {
  return { id, type: 0, guild_id, name: `channel${id}`, topic: null, position: 0, last_message_id, permission_overwrites: [] };
}

export function guild(over: Partial<FullGuild> = {}): FullGuild {
  return {
    id: "1",
    name: "Guild",
    icon: null,
    owner_id: "7",
    roles: [{ id: "1", name: "@everyone", color: 0, position: 0, permissions: "68608" }],
    joined_at: at,
    large: false,
    member_count: 2,
    channels: [channel("10")],
    members: [member("7"), member("8")],
    ...over,
  };
}

export function message(id: string, author = "8", over: Partial<Message> = {}): Message {
  return {
    id,
    channel_id: "10",
    guild_id: "1",
    author: user(author),
    content: `message ${id}`,
    timestamp: at,
    edited_timestamp: null,
    type: 0,
    ...over,
  };
}
