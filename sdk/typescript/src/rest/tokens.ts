/**
 * Holds the access token of one login and renews it before it ends.
 * Among browser tabs only one renews at a time (Web Locks); the others take its token (BroadcastChannel).
 * The token lives in memory only. In a browser the refresh token is a cookie this code never sees.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { Grant } from "../wire.ts";
import { ApiError, LoggedOutError } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** A token this close to its end is renewed before use. */
const RENEW_BEFORE_MS = 60_000;
const LOCK = "nexus-refresh";

interface Access {
  readonly token: string;
  readonly endsAtMs: number;
}

type Shared = { readonly kind: "access"; readonly access: Access } | { readonly kind: "logged_out" };

export class Tokens {
  readonly #transport: Transport;
  readonly #clock: Clock;
  #access: Access | null = null;
  #refreshToken: string | null;
  #renewing: Promise<string> | null = null;
  #channel: BroadcastChannel | null = null;
  /** Called when the login has ended, here or in another tab. */
  onEnd: () => void = () => {};
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

  /** Takes the tokens of a fresh login. */
  accept(grant: Grant): void {
    this.#access = { token: grant.access_token, endsAtMs: this.#clock.nowMs() + grant.expires_in * 1000 };
    if (grant.refresh_token) {
      this.#refreshToken = grant.refresh_token;
      this.onRefreshToken(grant.refresh_token);
    }
    this.#channel?.postMessage({ kind: "access", access: this.#access } satisfies Shared);
  }

  /** Forgets the login, here and in the other tabs. */
  forget(): void {
    this.#access = null;
    this.#refreshToken = null;
    this.#channel?.postMessage({ kind: "logged_out" } satisfies Shared);
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
    const access = this.#access;
    if (access && access.token !== not && access.endsAtMs - this.#clock.nowMs() > RENEW_BEFORE_MS) return access.token;
    this.#renewing ??= this.#renew(access?.token).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renew(old: string | undefined): Promise<string> {
    return exclusively(async () => {
      // Another tab may have renewed while this one waited for the lock.
      if (this.#access && this.#access.token !== old) return this.#access.token;
      try {
        const body = this.#refreshToken ? { refresh_token: this.#refreshToken } : {};
        const grant = await this.#transport.send<Grant>({ method: "POST", path: "/api/v1/auth/refresh", body });
        this.accept(grant);
        return grant.access_token;
      } catch (failure) {
        if (!(failure instanceof ApiError) || failure.isTemporary) throw failure;
        this.#access = null;
        this.onEnd();
        throw new LoggedOutError();
      }
    });
  }

  #hear(message: Shared): void {
    if (message.kind === "access") this.#access = message.access;
    else {
      this.#access = null;
      this.onEnd();
    }
  }
}

async function exclusively<T>(act: () => Promise<T>): Promise<T> {
  const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
  if (!locks) return act();
  return (await locks.request(LOCK, act)) as T;
}
