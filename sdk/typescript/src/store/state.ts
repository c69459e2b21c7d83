/**
 * Everything a client knows, normalised and immutable: an object that did not change keeps its identity.
 * Only `apply.ts` makes new states. What is here came from the gateway or from history; nothing is counted, unread is derived.
 */
import type { Channel, Guild, Id, Member, Message, Overwrite, Role, Timestamp, User } from "../wire.ts";

export type Table<T> = ReadonlyMap<Id, T>;

/** A guild without its channels and members, which have tables of their own. */
export interface GuildRecord extends Guild {
  readonly roles: readonly Role[];
  /** When the viewer joined, `null` if the instance did not say. */
  readonly joined_at: Timestamp | null;
  /** True when only a part of the members is held. */
  readonly large: boolean;
  readonly member_count: number;
}

export interface ChannelRecord extends Channel {
  readonly permission_overwrites: readonly Overwrite[];
}

export interface MemberRecord {
  readonly userId: Id;
  readonly nick: string | null;
  readonly roles: readonly Id[];
  readonly joined_at: Timestamp;
}

/** A stretch of one channel's history without holes, oldest first. */
export interface MessageWindow {
  readonly messages: readonly Message[];
  /** Older messages exist that are not held. */
  readonly hasMoreBefore: boolean;
  /** Newer messages exist, or may exist, that are not held. Live messages are then not appended. */
  readonly hasMoreAfter: boolean;
  /** The gateway lost its place since this was loaded: what came after the last message must be fetched. */
  readonly stale: boolean;
  /** Loaded without the permission to read history: it holds what was heard since. */
  readonly withoutHistory: boolean;
}

/** A message of our own that the gateway has not shown yet. */
export interface Echo {
  readonly nonce: string;
  readonly channelId: Id;
  readonly content: string;
  readonly createdAtMs: number;
  /** `waiting` in the queue or on its way, `sent` answered by the instance, `failed` for good until somebody acts. */
  readonly status: "waiting" | "sent" | "failed";
  /** Once sent. */
  readonly message: Message | null;
  /** Once failed: `offline` when nothing answered, else the refusal's word. */
  readonly reason: string | null;
  /** Once failed: what the instance said. */
  readonly detail: string | null;
}

/** Where the gateway stands. `waiting` has the time of the next try. */
export type Connection =
  | { readonly status: "idle" }
  | { readonly status: "connecting"; readonly since: "start" | "loss" }
  | { readonly status: "waiting"; readonly retryAtMs: number }
  | { readonly status: "live" }
  /** `successor` is who signed in instead, in another tab. */
  | { readonly status: "ended"; readonly successor?: User | null };

export interface State {
  readonly me: User | null;
  readonly users: Table<User>;
  readonly guilds: Table<GuildRecord>;
  readonly channels: Table<ChannelRecord>;
  /** Guild, then user. */
  readonly members: Table<Table<MemberRecord>>;
  /**
   * Guilds whose list of members must be fetched, because they were large and are not any more. Each with what was heard of
   * members since: the member, or `null` for who left.
   */
  readonly partial: Table<ReadonlyMap<Id, Member | null>>;
  /** Channel to the last message read. */
  readonly reads: Table<Id>;
  /** Guilds that READY named and that have not been described yet. `null` before the first READY. */
  readonly awaited: ReadonlySet<Id> | null;
  readonly windows: Table<MessageWindow>;
  /** Channel, then user, to the time the notice ends, in milliseconds. */
  readonly typing: Table<ReadonlyMap<Id, number>>;
  /** In the order they were written. */
  readonly echoes: readonly Echo[];
  readonly connection: Connection;
}

export const emptyState: State = {
  me: null,
  users: new Map(),
  guilds: new Map(),
  channels: new Map(),
  members: new Map(),
  partial: new Map(),
  reads: new Map(),
  awaited: null,
  windows: new Map(),
  typing: new Map(),
  echoes: [],
  connection: { status: "idle" },
};

/** A copy of a table with one entry set; the same table if the entry was there already, equal by identity. */
export function withEntry<K, V>(table: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  if (table.get(key) === value) return table;
  return new Map(table).set(key, value);
}

/** A copy of a table without one entry; the same table if there was none. */
export function withoutEntry<K, V>(table: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  if (!table.has(key)) return table;
  const copy = new Map(table);
  copy.delete(key);
  return copy;
}

/** A copy of a table with only the entries that pass; the same table if all do. */
export function filtered<K, V>(table: ReadonlyMap<K, V>, keep: (value: V, key: K) => boolean): ReadonlyMap<K, V> {
  const copy = new Map<K, V>();
  for (const [key, value] of table) if (keep(value, key)) copy.set(key, value);
  return copy.size === table.size ? table : copy;
}
