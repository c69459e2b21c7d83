/** Every route a client needs, typed. Refused access tokens are renewed once; nothing else is retried here. */
import type { Channel, FullGuild, Grant, Id, Instance, Invite, Login, Member, Message, User } from "../wire.ts";
import { ApiError, LoggedOutError } from "./errors.ts";
import type { Tokens } from "./tokens.ts";
import type { Exchange, Transport } from "./transport.ts";

const PREFIX = "/api/v1";

/** Which part of a channel's history to give; newest first. */
export interface HistoryQuery {
  readonly limit?: number;
  readonly before?: Id;
  readonly after?: Id;
  readonly around?: Id;
}

export interface NewInvite {
  /** Seconds; 0 never expires. */
  readonly max_age: number;
  /** 0 has no limit. */
  readonly max_uses: number;
}

export class Rest {
  readonly #transport: Transport;
  readonly #tokens: Tokens;

  constructor(transport: Transport, tokens: Tokens) {
    this.#transport = transport;
    this.#tokens = tokens;
  }

  // Before anybody is logged in

  instance(): Promise<Instance> {
    return this.#open({ method: "GET", path: `${PREFIX}/instance` });
  }

  async register(form: { username: string; password: string; invite?: string }): Promise<User> {
    return this.#accept({ method: "POST", path: `${PREFIX}/auth/register`, body: form });
  }

  async login(form: { username: string; password: string }): Promise<User> {
    return this.#accept({ method: "POST", path: `${PREFIX}/auth/login`, body: form });
  }

  async setup(form: { token: string; username: string; password: string }): Promise<User> {
    return this.#accept({ method: "POST", path: "/setup", body: form });
  }

  invite(code: string): Promise<Invite> {
    return this.#open({ method: "GET", path: `${PREFIX}/invites/${encodeURIComponent(code)}` });
  }

  // The account

  me(): Promise<User> {
    return this.#call({ method: "GET", path: `${PREFIX}/users/@me` });
  }

  changePassword(form: { password: string; new_password: string }): Promise<User> {
    return this.#call({ method: "PATCH", path: `${PREFIX}/users/@me`, body: form });
  }

  logins(): Promise<Login[]> {
    return this.#call({ method: "GET", path: `${PREFIX}/auth/logins` });
  }

  endLogin(id: Id): Promise<void> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/auth/logins/${id}` });
  }

  /**
   * Ends this login at the instance, then forgets it here. Without an answer the login still exists, and so it is kept.
   * @throws ApiError, NetworkError
   */
  async logout(): Promise<void> {
    try {
      await this.#call<void>({ method: "POST", path: `${PREFIX}/auth/logout`, body: {} });
    } catch (failure) {
      const isOver = failure instanceof LoggedOutError || (failure instanceof ApiError && failure.status === 401);
      if (!isOver) throw failure;
    }
    this.#tokens.forget();
  }

  // Guilds

  createGuild(form: { name: string }): Promise<FullGuild> {
    return this.#call({ method: "POST", path: `${PREFIX}/guilds`, body: form });
  }

  editGuild(id: Id, form: { name?: string; owner_id?: Id }): Promise<FullGuild> {
    return this.#call({ method: "PATCH", path: `${PREFIX}/guilds/${id}`, body: form });
  }

  deleteGuild(id: Id): Promise<void> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/guilds/${id}` });
  }

  leaveGuild(id: Id): Promise<void> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/users/@me/guilds/${id}` });
  }

  members(guild: Id, query: { limit?: number; after?: Id } = {}): Promise<Member[]> {
    return this.#call({ method: "GET", path: `${PREFIX}/guilds/${guild}/members${queryString(query)}` });
  }

  removeMember(guild: Id, user: Id): Promise<void> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/guilds/${guild}/members/${user}` });
  }

  guildInvites(guild: Id): Promise<Invite[]> {
    return this.#call({ method: "GET", path: `${PREFIX}/guilds/${guild}/invites` });
  }

  // Channels

  createChannel(guild: Id, form: { name: string; type: 0; topic?: string }): Promise<Channel> {
    return this.#call({ method: "POST", path: `${PREFIX}/guilds/${guild}/channels`, body: form });
  }

  editChannel(id: Id, form: { name?: string; topic?: string | null; position?: number }): Promise<Channel> {
    return this.#call({ method: "PATCH", path: `${PREFIX}/channels/${id}`, body: form });
  }

  deleteChannel(id: Id): Promise<Channel> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/channels/${id}` });
  }

  createInvite(channel: Id, form: NewInvite): Promise<Invite> {
    return this.#call({ method: "POST", path: `${PREFIX}/channels/${channel}/invites`, body: form });
  }

  join(code: string): Promise<Invite> {
    return this.#call({ method: "POST", path: `${PREFIX}/invites/${encodeURIComponent(code)}`, body: {} });
  }

  revokeInvite(code: string): Promise<Invite> {
    return this.#call({ method: "DELETE", path: `${PREFIX}/invites/${encodeURIComponent(code)}` });
  }

  // Messages

  history(channel: Id, query: HistoryQuery = {}, signal?: AbortSignal): Promise<Message[]> {
    const path = `${PREFIX}/channels/${channel}/messages${queryString({ ...query })}`;
    return this.#call(signal ? { method: "GET", path, signal } : { method: "GET", path });
  }

  send(channel: Id, draft: { content: string; nonce?: string }): Promise<Message> {
    return this.#call({ method: "POST", path: `${PREFIX}/channels/${channel}/messages`, body: draft });
  }

  typing(channel: Id): Promise<void> {
    return this.#call({ method: "POST", path: `${PREFIX}/channels/${channel}/typing`, body: {} });
  }

  ack(channel: Id, message: Id): Promise<void> {
    return this.#call({ method: "POST", path: `${PREFIX}/channels/${channel}/messages/${message}/ack`, body: {} });
  }

  /** A request without an account. */
  #open<T>(exchange: Exchange): Promise<T> {
    return this.#transport.send<T>(exchange);
  }

  async #accept(exchange: Exchange): Promise<User> {
    const grant = await this.#open<Grant>(exchange);
    this.#tokens.accept(grant);
    return grant.user;
  }

  /** A request with the access token; a refused token is renewed once, but never by that of a later login. */
  async #call<T>(exchange: Exchange): Promise<T> {
    const { login } = this.#tokens;
    const token = await this.#tokens.current();
    try {
      return await this.#transport.send<T>({ ...exchange, token });
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.reason !== "invalid_token") throw failure;
      if (login !== this.#tokens.login) throw new LoggedOutError();
      const renewed = await this.#tokens.current(token);
      return this.#transport.send<T>({ ...exchange, token: renewed });
    }
  }
}

function queryString(query: object): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
