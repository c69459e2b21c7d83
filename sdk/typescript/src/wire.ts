/**
 * The shapes that travel: REST bodies and gateway payloads, as the instance writes them.
 * Only the fields that Nexus clients read are named; unknown fields are ignored, never an error.
 */

/** A snowflake as a decimal string. Compare with `compareIds`, never as a number. */
export type Id = string;

/** An ISO 8601 date and time with offset. */
export type Timestamp = string;

/** An account. */
export interface User {
  readonly id: Id;
  readonly username: string;
  readonly global_name: string | null;
  readonly avatar: string | null;
  readonly bot: boolean;
  /** Only in answers about the caller: may administer the instance. */
  readonly admin?: boolean;
}

/** An account inside a guild. */
export interface Member {
  readonly user: User;
  readonly nick: string | null;
  readonly roles: readonly Id[];
  readonly joined_at: Timestamp;
}

/** A set of permissions that members carry. */
export interface Role {
  readonly id: Id;
  readonly name: string;
  readonly color: number;
  readonly position: number;
  readonly permissions: string;
}

/** A permission exception of one channel: for a role (0) or a member (1). */
export interface Overwrite {
  readonly id: Id;
  readonly type: 0 | 1;
  readonly allow: string;
  readonly deny: string;
}

/** A place for conversation in a guild. */
export interface Channel {
  readonly id: Id;
  readonly type: number;
  readonly guild_id: Id;
  readonly name: string;
  readonly topic: string | null;
  readonly position: number;
  readonly last_message_id: Id | null;
  readonly permission_overwrites: readonly Overwrite[];
}

/** A community, as far as it is the same for every viewer. */
export interface Guild {
  readonly id: Id;
  readonly name: string;
  readonly icon: string | null;
  readonly owner_id: Id;
  readonly roles: readonly Role[];
}

/** A guild with what one viewer may see of it: the body of GUILD_CREATE and of `POST /guilds`. */
export interface FullGuild extends Guild {
  readonly joined_at?: Timestamp;
  readonly large?: boolean;
  readonly member_count?: number;
  readonly channels?: readonly Channel[];
  readonly members?: readonly Member[];
}

/** One message of a channel. */
export interface Message {
  readonly id: Id;
  readonly channel_id: Id;
  readonly guild_id?: Id;
  readonly author: User;
  readonly content: string;
  readonly timestamp: Timestamp;
  readonly edited_timestamp: Timestamp | null;
  readonly type: number;
  /** What the sender chose to recognise the message by; only in the answer and in the live event. */
  readonly nonce?: string | number | null;
}

/** A link into a guild. */
export interface Invite {
  readonly code: string;
  readonly guild: { readonly id: Id; readonly name: string };
  readonly channel: { readonly id: Id; readonly name: string; readonly type: number };
  readonly inviter?: User | null;
  readonly uses?: number;
  readonly max_uses?: number;
  readonly max_age?: number;
  readonly created_at?: Timestamp;
  readonly expires_at: Timestamp | null;
  readonly approximate_member_count?: number;
}

/** A browser or app that is signed in. */
export interface Login {
  readonly id: Id;
  readonly created_at: Timestamp;
  readonly last_used_at: Timestamp;
  readonly client: string;
  readonly current: boolean;
}

/** What an instance says about itself before anybody signs in. */
export interface Instance {
  readonly name: string;
  readonly version: string;
  readonly registration: "open" | "closed";
  readonly setup_required: boolean;
}

/** The answer to registering, logging in and refreshing. */
export interface Grant {
  readonly user: User;
  readonly access_token: string;
  /** Absent for web clients, where it travels as a cookie. */
  readonly refresh_token?: string;
  /** Seconds until the access token stops working. */
  readonly expires_in: number;
}

/** The last message of a channel that a user has read. */
export interface ReadState {
  readonly id: Id;
  readonly last_message_id: Id | null;
}
