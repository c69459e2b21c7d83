/**
 * Sends messages so that each arrives exactly once: a local echo at once, the same nonce on every try, one message of a channel on
 * its way at a time so that order holds. A refusal fails the message; silence is retried.
 */
import { backoffMs, type Clock, systemClock } from "../clock.ts";
import { ApiError, LoggedOutError } from "../rest/errors.ts";
import type { Echo } from "../store/state.ts";
import type { Store } from "../store/store.ts";
import type { Id, Message } from "../wire.ts";

const RETRY_FIRST_MS = 500;
const RETRY_CAP_MS = 8_000;
/** Tries while the gateway is up; after that somebody has to decide. While it is down, the queue waits. */
const TRIES_MAX = 5;
/** While the gateway is down, a try now and then: perhaps only it is blocked. */
const OFFLINE_PAUSE_MS = 5_000;

export interface OutboxOptions {
  readonly store: Store;
  readonly send: (channelId: Id, draft: { content: string; nonce: string }) => Promise<Message>;
  readonly clock?: Clock;
  readonly newNonce?: () => string;
}

export class Outbox {
  readonly #store: Store;
  readonly #send: OutboxOptions["send"];
  readonly #clock: Clock;
  readonly #newNonce: () => string;
  readonly #busy = new Set<Id>();
  /** Ends the current wait of a channel's queue. */
  readonly #waits = new Map<Id, () => void>();

  constructor(options: OutboxOptions) {
    this.#store = options.store;
    this.#send = options.send;
    this.#clock = options.clock ?? systemClock;
    this.#newNonce = options.newNonce ?? (() => crypto.randomUUID());
  }

  /** Shows the message at once and sends it when its turn comes. Gives its nonce. */
  post(channelId: Id, content: string): string {
    const nonce = this.#newNonce();
    const echo: Echo = {
      nonce,
      channelId,
      content,
      createdAtMs: this.#clock.nowMs(),
      status: "waiting",
      message: null,
      reason: null,
      detail: null,
    };
    this.#store.dispatch({ type: "echo_put", echo });
    void this.#drain(channelId);
    return nonce;
  }

  /** Tries a failed message again, under the same nonce. */
  retry(nonce: string): void {
    const echo = this.#find(nonce);
    if (echo?.status !== "failed") return;
    this.#store.dispatch({ type: "echo_put", echo: { ...echo, status: "waiting", reason: null, detail: null } });
    void this.#drain(echo.channelId);
  }

  /** Drops a failed message. */
  discard(nonce: string): void {
    if (this.#find(nonce)?.status === "failed") this.#store.dispatch({ type: "echo_dropped", nonce });
  }

  /** The gateway is back: no reason to go on waiting. */
  wake(): void {
    for (const end of [...this.#waits.values()]) end();
  }

  #find(nonce: string): Echo | undefined {
    return this.#store.state().echoes.find((echo) => echo.nonce === nonce);
  }

  #next(channelId: Id): Echo | undefined {
    return this.#store.state().echoes.find((echo) => echo.channelId === channelId && echo.status === "waiting");
  }

  async #drain(channelId: Id): Promise<void> {
    if (this.#busy.has(channelId)) return;
    this.#busy.add(channelId);
    try {
      for (let echo = this.#next(channelId); echo; echo = this.#next(channelId)) await this.#deliver(echo);
    } finally {
      this.#busy.delete(channelId);
    }
  }

  async #deliver(echo: Echo): Promise<void> {
    for (let tries = 0; ; ) {
      try {
        const message = await this.#send(echo.channelId, { content: echo.content, nonce: echo.nonce });
        // The event may have come first and taken the echo away; then there is nothing to replace.
        if (this.#find(echo.nonce)) this.#put({ ...echo, status: "sent", message });
        return;
      } catch (failure) {
        // The event says it arrived, whatever became of the answer.
        if (!this.#find(echo.nonce)) return;
        if (failure instanceof LoggedOutError) return this.#fail(echo, "logged_out", null);
        if (failure instanceof ApiError && !failure.isTemporary) return this.#fail(echo, failure.reason, failure.message);
        const live = this.#store.state().connection.status === "live";
        // Being asked to wait is an answer; only silence and faults use up the tries.
        const asked = failure instanceof ApiError && failure.status === 429;
        if (live && !asked) tries += 1;
        if (tries >= TRIES_MAX) return this.#fail(echo, failure instanceof ApiError ? failure.reason : "offline", null);
        await this.#pause(echo.channelId, this.#delayMs(failure, tries, live));
        if (!this.#find(echo.nonce)) return;
      }
    }
  }

  #delayMs(failure: unknown, tries: number, live: boolean): number {
    const askedMs = failure instanceof ApiError && failure.retryAfterS !== null ? failure.retryAfterS * 1000 : 0;
    const ownMs = live ? backoffMs(Math.max(0, tries - 1), RETRY_FIRST_MS, RETRY_CAP_MS, this.#clock.random()) : OFFLINE_PAUSE_MS;
    return Math.max(askedMs, ownMs);
  }

  #pause(channelId: Id, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waits.delete(channelId);
        resolve();
      };
      const cancel = this.#clock.after(delayMs, end);
      this.#waits.set(channelId, end);
    });
  }

  #fail(echo: Echo, reason: string, detail: string | null): void {
    this.#put({ ...echo, status: "failed", reason, detail });
  }

  #put(echo: Echo): void {
    this.#store.dispatch({ type: "echo_put", echo });
  }
}
