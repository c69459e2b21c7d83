/**
 * Questions to a state. Answers that are lists are remembered by the tables they were made from, so that they keep their identity
 * until one of those changes.
 */
import { compareIds, idAtMs, isNewer } from "../ids.ts";
import { allows, Permission, permissionsOf } from "../permissions.ts";
import type { Id, User } from "../wire.ts";
import type { ChannelRecord, Echo, GuildRecord, MemberRecord, State } from "./state.ts";

/** A member with its account. */
export interface Person {
  readonly user: User;
  readonly member: MemberRecord;
  readonly name: string;
}

/** Guilds in the order they were founded. */
export const guildsInOrder = remembered(
  (state) => [state.guilds],
  (state): readonly GuildRecord[] => [...state.guilds.values()].sort((a, b) => compareIds(a.id, b.id)),
);

/** The channels of all guilds in the order of their lists. */
const channelLists = remembered(
  (state) => [state.channels],
  (state): ReadonlyMap<Id, readonly ChannelRecord[]> => {
    const lists = new Map<Id, ChannelRecord[]>();
    for (const channel of state.channels.values()) {
      const list = lists.get(channel.guild_id);
      if (list) list.push(channel);
      else lists.set(channel.guild_id, [channel]);
    }
    for (const list of lists.values()) list.sort((a, b) => a.position - b.position || compareIds(a.id, b.id));
    return lists;
  },
);

const NO_CHANNELS: readonly ChannelRecord[] = [];

export function channelsOf(state: State, guildId: Id): readonly ChannelRecord[] {
  return channelLists(state).get(guildId) ?? NO_CHANNELS;
}

const peopleLists = remembered(
  (state) => [state.members, state.users],
  (state): ReadonlyMap<Id, readonly Person[]> =>
    new Map(
      [...state.members].map(([guildId, table]) => {
        const people = [...table.values()].flatMap((member) => {
          const user = state.users.get(member.userId);
          return user ? [{ user, member, name: member.nick ?? user.global_name ?? user.username }] : [];
        });
        people.sort((a, b) => a.name.localeCompare(b.name) || compareIds(a.user.id, b.user.id));
        return [guildId, people] as const;
      }),
    ),
);

const NO_PEOPLE: readonly Person[] = [];

/** The members of a guild that are held, by name. */
export function peopleOf(state: State, guildId: Id): readonly Person[] {
  return peopleLists(state).get(guildId) ?? NO_PEOPLE;
}

/** What a user is called in a guild. */
export function nameOf(state: State, userId: Id, guildId: Id | null): string | null {
  const nick = guildId ? state.members.get(guildId)?.get(userId)?.nick : null;
  const user = state.users.get(userId);
  return nick ?? user?.global_name ?? user?.username ?? null;
}

/** What the viewer may do in a guild or one of its channels. */
export function myPermissions(state: State, guildId: Id, channelId?: Id): bigint {
  const guild = state.guilds.get(guildId);
  if (!guild || !state.me) return 0n;
  const member =
    state.members.get(guildId)?.get(state.me.id) ?? (guild.owner_id === state.me.id ? { userId: state.me.id, roles: [] } : undefined);
  return permissionsOf(guild, member, channelId ? state.channels.get(channelId) : undefined);
}

/** Whether the viewer holds a permission in a guild or one of its channels. */
export function mayI(state: State, permission: bigint, guildId: Id, channelId?: Id): boolean {
  return allows(myPermissions(state, guildId, channelId), permission);
}

/** Whether the viewer may read what was written in a channel while they did not listen. */
export function mayReadHistory(state: State, channelId: Id): boolean {
  const channel = state.channels.get(channelId);
  return channel !== undefined && mayI(state, Permission.readMessageHistory, channel.guild_id, channelId);
}

/** Whether a channel has to be opened (again) to be shown whole: nothing is held, a gap is open, or history may be read since. */
export function lacksHistory(state: State, channelId: Id): boolean {
  const window = state.windows.get(channelId);
  return !window || window.stale || (window.withoutHistory && mayReadHistory(state, channelId));
}

/** The last message the viewer has read; who joins has read what was there before. */
export function readUpTo(state: State, channelId: Id): Id {
  const read = state.reads.get(channelId);
  if (read) return read;
  const channel = state.channels.get(channelId);
  const joinedAt = channel && state.guilds.get(channel.guild_id)?.joined_at;
  return joinedAt ? idAtMs(Date.parse(joinedAt)) : "0";
}

/** Derived, never counted: the channel's newest message is younger than the last one read. */
export function isUnread(state: State, channelId: Id): boolean {
  return isNewer(state.channels.get(channelId)?.last_message_id, readUpTo(state, channelId));
}

export function isGuildUnread(state: State, guildId: Id): boolean {
  return channelsOf(state, guildId).some((channel) => isUnread(state, channel.id));
}

const echoLists = remembered(
  (state) => [state.echoes],
  (state): ReadonlyMap<Id, readonly Echo[]> => grouped(state.echoes),
);

const NO_ECHOES: readonly Echo[] = [];

/** Own messages of a channel that the gateway has not shown yet. */
export function echoesOf(state: State, channelId: Id): readonly Echo[] {
  return echoLists(state).get(channelId) ?? NO_ECHOES;
}

/** READY came, and every guild it named was described. */
export function isReady(state: State): boolean {
  return state.awaited?.size === 0;
}

function grouped(echoes: readonly Echo[]): Map<Id, Echo[]> {
  const groups = new Map<Id, Echo[]>();
  for (const echo of echoes) groups.set(echo.channelId, [...(groups.get(echo.channelId) ?? []), echo]);
  return groups;
}

/** Remembers the last answer as long as the parts of the state it depends on are the same objects. */
function remembered<T>(parts: (state: State) => readonly unknown[], answer: (state: State) => T): (state: State) => T {
  let last: { readonly parts: readonly unknown[]; readonly value: T } | null = null;
  return (state) => {
    const now = parts(state);
    if (last?.parts.every((part, index) => part === now[index])) return last.value;
    last = { parts: now, value: answer(state) };
    return last.value;
  };
}
