/**
 * The event hub for a program: hear what happens, say what happened.
 *
 * `new NexusClient({ url, secret })` in a program that holds a source's secret, `new NexusClient({ url, token })` for an administrator.
 * It has an entry of its own (`@nexus/sdk/hub`) and shares nothing with the community client but the clock.
 */
import { backoffMs, type Clock, systemClock } from "../clock.ts";
import { Api, type EventQuery } from "./api.ts";
import { Code, HubError } from "./errors.ts";
import type { HubEvent, Published } from "./events.ts";
import { openNodeSocket } from "./nodeSocket.ts";
import type { HubSocket } from "./stream.ts";
import { type Callback, type OnError, type SubscribeOptions, Subscription } from "./subscription.ts";

const RETRY_FIRST_MS = 500;
const RETRY_CAP_MS = 15_000;
/** What the hub takes as an id, and what a header can carry. */
const PRINTABLE = /^[\x20-\x7e]+$/;
const ID_CHARS_MAX = 128;
/** A restart of the hub passes in this time. */
const PUBLISH_MS_MAX = 60_000;

export interface NexusClientOptions {
  /** As `https://hub.example.org`. */
  readonly url: string;
  /** The source's secret. It signs; it is never sent. */
  readonly secret?: string;
  /** The source's name; without it, the source of `NEXUS_SECRET`. */
  readonly source?: string;
  /** An administrator's token, for reading. */
  readonly token?: string;
  /** Hears everything that goes wrong with subscriptions, unless one has an `onError` of its own. */
  readonly onError?: OnError;
  /** For how long an event is tried before `publish` gives up. */
  readonly publishForMs?: number;
  /** Stands in for the WebSocket of the platform. Node 20 has none; there a small one of our own is used. */
  readonly WebSocket?: new (
    url: string,
  ) => HubSocket;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

export interface PublishOptions {
  /** 1 to 128 printable ASCII characters that name this event in your system; a random one if absent. The hub takes an id once. */
  readonly id?: string;
}

export class NexusClient {
  readonly #options: NexusClientOptions;
  readonly #clock: Clock;
  readonly #api: Api;
  readonly #subscriptions = new Set<Subscription>();
  readonly #pauses = new Set<() => void>();
  #isClosed = false;

  constructor(options: NexusClientOptions) {
    if (options.secret === undefined && options.token === undefined) throw new TypeError("A client needs a `secret` or a `token`.");
    if ([options.token, options.source].some((text) => text !== undefined && !PRINTABLE.test(text)))
      throw new TypeError("`token` and `source` are one line of ASCII.");
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#api = new Api(options, this.#clock);
  }

  /**
   * Calls back for every event of these types (`FLOWPAY:PAYMENT_RECEIVED`, `FACTORY:*`, `*`), one after the other.
   * @throws TypeError for none or more than 20 types
   */
  subscribe(events: readonly string[], callback: Callback, options: SubscribeOptions = {}): Subscription {
    if (this.#isClosed) throw new HubError(Code.closed, "The client is closed.");
    const subscription = new Subscription(
      events,
      callback,
      { onError: this.#options.onError, ...options },
      {
        clock: this.#clock,
        address: () => this.#api.stream(),
        open: (url) => this.#open(url),
      },
    );
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /**
   * Says that something happened, once: the id makes a repetition after a lost answer harmless. Resolves when the hub has committed it.
   * 429, 5xx and silence are tried again for a minute (`publishForMs`), as `Retry-After` asks.
   * @throws HubError; TypeError for an id that no header can carry
   */
  async publish(event: string, payload: object, options: PublishOptions = {}): Promise<Published> {
    const id = options.id ?? crypto.randomUUID();
    if (!PRINTABLE.test(id) || id.length > ID_CHARS_MAX) throw new TypeError(`An id is 1 to ${ID_CHARS_MAX} printable ASCII characters.`);
    const body = JSON.stringify({ event, payload });
    const endMs = this.#clock.nowMs() + (this.#options.publishForMs ?? PUBLISH_MS_MAX);
    for (let attempt = 0; ; attempt += 1) {
      if (this.#isClosed) throw new HubError(Code.closed, "The client is closed.");
      try {
        return await this.#api.publish(body, id);
      } catch (cause) {
        if (!(cause instanceof HubError) || !cause.isTemporary) throw cause;
        const backoff = backoffMs(attempt, RETRY_FIRST_MS, RETRY_CAP_MS, this.#clock.random());
        const waitMs = Math.max(backoff, cause.retryInMs ?? 0);
        if (this.#clock.nowMs() + waitMs > endMs) throw cause;
        await this.#pause(waitMs);
      }
    }
  }

  /**
   * What happened, newest first.
   * @throws HubError
   */
  events(query: EventQuery = {}): Promise<HubEvent[]> {
    return this.#api.events(query);
  }

  /** Ends every subscription; a callback that runs may finish. What is being published ends with `closed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const wake of this.#pauses) wake();
    await Promise.all(Array.from(this.#subscriptions, (subscription) => subscription.close()));
  }

  #open(url: string): HubSocket {
    const given = this.#options.WebSocket ?? globalThis.WebSocket;
    return given ? new given(url) : openNodeSocket(url);
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#pauses.delete(wake);
        resolve();
      };
      const cancel = this.#clock.after(durationMs, wake);
      this.#pauses.add(wake);
    });
  }
}
