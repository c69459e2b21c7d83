/**
 * Holds the access token of one login and renews it before it ends.
 * Among browser tabs only one renews at a time (Web Locks); the others take its token (BroadcastChannel).
 * The token lives in memory only. In a browser the refresh token is a cookie this code never sees, and which all tabs share: if
 * another account takes it, this login has ended, and nothing begun under it is done as the other account.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { Grant, User } from "../wire.ts";
import { ApiError, LoggedOutError } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** A token this close to its end is renewed before use. */
const RENEW_BEFORE_MS = 60_000;
const LOCK = "nexus-refresh";

interface Access {
  readonly token: string;
  readonly endsAtMs: number;
}

type Shared = { readonly kind: "access"; readonly user: User; readonly access: Access } | { readonly kind: "logged_out" };

export class Tokens {
  readonly #transport: Transport;
  readonly #clock: Clock;
  #access: Access | null = null;
  #refreshToken: string | null;
  #renewing: Promise<string> | null = null;
  #channel: BroadcastChannel | null = null;
  /** Whose login this is; once another account took it over, whose it was. */
  #user: User | null = null;
  #hasEnded = false;
  #login = 0;
  /** Called when the login has ended, here or in another tab; `successor` is who signed in instead. */
  onEnd: (successor: User | null) => void = () => {};
  /** Called with each new refresh token of a client that is not a browser, to be stored. */
  onRefreshToken: (token: string) => void = () => {};

  constructor(
    transport: Transport,
    options: { readonly clock?: Clock; readonly refreshToken?: string; readonly shareTabs?: boolean } = {},
  ) {
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    this.#refreshToken = options.refreshToken ?? null;
    if (options.shareTabs && typeof BroadcastChannel !== "undefined") {
      this.#channel = new BroadcastChannel(LOCK);
      this.#channel.onmessage = (event: MessageEvent<Shared>) => this.#hear(event.data);
    }
  }

  /** Counts the logins held here. What was begun under one number must not go on under another. */
  get login(): number {
    return this.#login;
  }

  /** Whose login is held here, as the instance last said. */
  get user(): User | null {
    return this.#hasEnded ? null : this.#user;
  }

  /** Takes the tokens of a fresh login. One of another account that was held until now ends. */
  accept(grant: Grant): void {
    if (this.#hasEnded || this.#user?.id !== grant.user.id) {
      if (this.#user && !this.#hasEnded) this.#end(null);
      this.#begin();
    }
    this.#take(grant);
  }

  /** Forgets the login, here and in the other tabs. */
  forget(): void {
    this.#channel?.postMessage({ kind: "logged_out" } satisfies Shared);
    this.#end(null);
  }

  /** The gateway turned the login away: it has ended here. Other tabs find out by themselves. */
  end(): void {
    if (!this.#hasEnded) this.#end(null);
  }

  /** Stops listening to other tabs. */
  close(): void {
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * A token that will work for at least a minute. `not` names a token that was just refused.
   * @throws LoggedOutError, NetworkError
   */
  async current(not?: string): Promise<string> {
    if (this.#hasEnded) throw new LoggedOutError();
    const access = this.#access;
    if (access && access.token !== not && access.endsAtMs - this.#clock.nowMs() > RENEW_BEFORE_MS) return access.token;
    const renewing = this.#renewing ?? this.#renew(access?.token);
    this.#renewing = renewing;
    try {
      return await renewing;
    } finally {
      if (this.#renewing === renewing) this.#renewing = null;
    }
  }

  async #renew(old: string | undefined): Promise<string> {
    const login = this.#login;
    return exclusively(async () => {
      if (login !== this.#login) throw new LoggedOutError();
      // Another tab may have renewed while this one waited for the lock.
      if (this.#access && this.#access.token !== old) return this.#access.token;
      let grant: Grant;
      try {
        const body = this.#refreshToken ? { refresh_token: this.#refreshToken } : {};
        grant = await this.#transport.send<Grant>({ method: "POST", path: "/api/v1/auth/refresh", body });
      } catch (failure) {
        if (!(failure instanceof ApiError) || failure.isTemporary) throw failure;
        if (login === this.#login) this.#end(null);
        throw new LoggedOutError();
      }
      if (login !== this.#login) throw new LoggedOutError();
      if (this.#user && this.#user.id !== grant.user.id) {
        this.#end(grant.user);
        throw new LoggedOutError();
      }
      this.#take(grant);
      return grant.access_token;
    });
  }

  #take(grant: Grant): void {
    const access = { token: grant.access_token, endsAtMs: this.#clock.nowMs() + grant.expires_in * 1000 };
    this.#user = grant.user;
    this.#access = access;
    if (grant.refresh_token) {
      this.#refreshToken = grant.refresh_token;
      this.onRefreshToken(grant.refresh_token);
    }
    this.#channel?.postMessage({ kind: "access", user: grant.user, access } satisfies Shared);
  }

  #hear(message: Shared): void {
    if (message.kind === "logged_out") {
      this.#end(null);
      return;
    }
    // Who was replaced stays so until the page is loaded again or somebody signs in on it.
    if (this.#user && (this.#hasEnded || this.#user.id !== message.user.id)) {
      this.#end(message.user);
      return;
    }
    if (!this.#user) this.#begin();
    this.#user = message.user;
    this.#access = message.access;
  }

  #begin(): void {
    this.#login += 1;
    this.#renewing = null;
    this.#hasEnded = false;
  }

  #end(successor: User | null): void {
    this.#login += 1;
    this.#renewing = null;
    this.#hasEnded = true;
    this.#access = null;
    this.#refreshToken = null;
    if (!successor) this.#user = null;
    this.onEnd(successor);
  }
}

async function exclusively<T>(act: () => Promise<T>): Promise<T> {
  const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
  if (!locks) return act();
  return (await locks.request(LOCK, act)) as T;
}
