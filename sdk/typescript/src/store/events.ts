/**
 * Everything that can change the state, as one closed union. Gateway events are what an instance dispatches, already decoded;
 * local events are what this client did itself. Each is absolute: applying it twice is applying it once.
 */
import type { Channel, FullGuild, Guild, Id, Member, Message, ReadState, User } from "../wire.ts";
import type { Connection, Echo } from "./state.ts";

/** How many members a guild has since somebody joined or left; `null` where the instance does not say. */
export interface GuildSize {
  readonly memberCount: number | null;
  /** Whether GUILD_CREATE would name the viewer alone. */
  readonly large: boolean | null;
}

export type GatewayEvent =
  | { readonly type: "ready"; readonly user: User; readonly guildIds: readonly Id[]; readonly reads: readonly ReadState[] }
  | { readonly type: "resumed" }
  | { readonly type: "guild_create"; readonly guild: FullGuild }
  | { readonly type: "guild_update"; readonly guild: Guild }
  | { readonly type: "guild_delete"; readonly id: Id }
  | ({ readonly type: "guild_member_add"; readonly guildId: Id; readonly member: Member } & GuildSize)
  | ({ readonly type: "guild_member_remove"; readonly guildId: Id; readonly user: User } & GuildSize)
  | { readonly type: "channel_create"; readonly channel: Channel }
  | { readonly type: "channel_update"; readonly channel: Channel }
  | { readonly type: "channel_delete"; readonly id: Id }
  | { readonly type: "message_create"; readonly message: Message; readonly member: Omit<Member, "user"> | null }
  | { readonly type: "message_ack"; readonly channelId: Id; readonly messageId: Id }
  | {
      readonly type: "typing_start";
      readonly channelId: Id;
      readonly guildId: Id | null;
      readonly userId: Id;
      readonly startedAtMs: number;
      readonly member: Member | null;
    };

/** What part of history a page is. `latest` replaces what is held; the others join it. */
export type HistoryPage =
  | { readonly part: "latest"; readonly reachedStart: boolean }
  | { readonly part: "before"; readonly reachedStart: boolean }
  | { readonly part: "after"; readonly reachedEnd: boolean };

export type LocalEvent =
  /** A page of history, oldest first. */
  | { readonly type: "history_loaded"; readonly channelId: Id; readonly page: HistoryPage; readonly messages: readonly Message[] }
  /** The whole list of a guild's members, as REST gives it. */
  | { readonly type: "members_loaded"; readonly guildId: Id; readonly members: readonly Member[] }
  | { readonly type: "window_dropped"; readonly channelId: Id }
  | { readonly type: "echo_put"; readonly echo: Echo }
  | { readonly type: "echo_dropped"; readonly nonce: string }
  | { readonly type: "read_marked"; readonly channelId: Id; readonly messageId: Id }
  | { readonly type: "typing_expired"; readonly nowMs: number }
  | { readonly type: "me_changed"; readonly user: User }
  | { readonly type: "connection_changed"; readonly connection: Connection }
  | { readonly type: "logged_out"; readonly successor?: User | null };

export type StoreEvent = GatewayEvent | LocalEvent;

/** Reached only if the union grows and a switch does not. */
export function assertNever(value: never): never {
  throw new Error(`Unhandled: ${JSON.stringify(value)}`);
}
