/**
 * One subscription, kept alive: every event once and in order into the callback, across restarts of the hub and lost connections.
 *
 * It has a stream of its own. The position moves only after the callback is done with an event, and every connection begins there; so
 * nothing is lost, and what comes twice is dropped. A callback that throws gets the same event again, with growing pauses, until it
 * succeeds or `onError` answers `"skip"`: an event that was not dealt with is never passed over silently.
 */
import { backoffMs, type Clock } from "../clock.ts";
import { Code, HubError } from "./errors.ts";
import { type Frame, type Gap, type HubEvent, readFrame } from "./events.ts";
import { type Ending, type HubSocket, Stream } from "./stream.ts";

const RETRY_FIRST_MS = 250;
const RETRY_CAP_MS = 10_000;
/** A signature or token that was refused is not accepted a second later. */
const REFUSED_MS = 60_000;
const CALLBACK_FIRST_MS = 1_000;
const CALLBACK_CAP_MS = 60_000;
/** The hub's close code for a reader that was too slow. Source: docs/protocol/events.md. */
const TOO_SLOW = 4901;
/** As many as the hub takes in one list. */
const PATTERNS_MAX = 20;

export type Callback = (event: HubEvent) => unknown;
/** Its answer (or what that resolves to) is `"skip"` to give up on the event whose callback threw. */
export type OnError = (problem: HubError) => unknown;

export interface SubscribeOptions {
  /** Begin after this position: 0 for everything that the hub still has. Without it, with what happens from now on. */
  readonly since?: number | undefined;
  /** Some of what was asked for is gone. Events go on with what there is. */
  readonly onGap?: ((gap: Gap) => unknown) | undefined;
  /** Everything that goes wrong. Without it, `console.error`. */
  readonly onError?: OnError | undefined;
}

export interface SubscriptionPorts {
  readonly clock: Clock;
  /** The address of a stream that may be opened once. */
  readonly address: () => Promise<string>;
  readonly open: (url: string) => HubSocket;
}

export class Subscription {
  /** Settles when the hub has said for the first time that it will tell; or when the subscription was closed before. */
  readonly ready: Promise<void>;
  readonly #events: readonly string[];
  readonly #callback: Callback;
  readonly #options: SubscribeOptions;
  readonly #ports: SubscriptionPorts;
  readonly #done: Promise<void>;
  #isReady: () => void = () => {};
  #position: number | undefined;
  #stream: Stream | undefined;
  #attempt = 0;
  #isClosed = false;
  #hurry: () => void = () => {};

  constructor(events: readonly string[], callback: Callback, options: SubscribeOptions, ports: SubscriptionPorts) {
    if (events.length < 1 || events.length > PATTERNS_MAX) throw new TypeError(`Subscribe to 1 to ${PATTERNS_MAX} types of events.`);
    this.#events = [...events];
    this.#callback = callback;
    this.#options = options;
    this.#ports = ports;
    this.#position = options.since;
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
    this.#done = this.#run();
  }

  /** Everything up to here was dealt with. Store it, and pass it as `since` next time. Undefined until the hub has said where it stands. */
  get position(): number | undefined {
    return this.#position;
  }

  /** Ends it. A callback that runs may finish; none is called after. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#stream?.leave();
    this.#hurry();
    this.#isReady();
    return this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const before = this.#position;
      try {
        const { hasBegun, ending } = await this.#connect();
        if (this.#position !== before && (ending === TOO_SLOW || ending === "full")) continue;
        if (!hasBegun && !this.#isClosed) throw new HubError(Code.unreachable, `The stream ended before it began (${ending}).`);
        await this.#pause(this.#backoff());
      } catch (cause) {
        await this.#wait(cause);
      }
    }
  }

  /** One connection, from its ticket to its end. */
  async #connect(): Promise<{ hasBegun: boolean; ending: Ending }> {
    const url = await this.#ports.address();
    if (this.#isClosed) return { hasBegun: false, ending: "left" };
    const since = this.#position === undefined ? {} : { since: this.#position };
    const subscribe = JSON.stringify({ action: "subscribe", events: this.#events, ...since });
    const stream = new Stream(this.#ports.open(url), this.#ports.clock, subscribe);
    this.#stream = stream;
    let hasBegun = false;
    try {
      for (let text = await stream.next(); text !== undefined && !this.#isClosed; text = await stream.next()) {
        const frame = readFrame(text);
        hasBegun ||= frame.type === "subscribed";
        await this.#take(frame);
      }
    } finally {
      stream.leave();
    }
    return { hasBegun, ending: stream.ending };
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.type) {
      case "event":
        if (this.#position === undefined || frame.event.position > this.#position) await this.#handle(frame.event);
        return;
      case "caught_up":
        this.#position = Math.max(this.#position ?? 0, frame.position);
        return;
      case "subscribed":
        return this.#begin(frame);
      case "error":
        await this.#report(new HubError(frame.code, frame.message));
        return;
      case "other":
        return;
    }
  }

  async #begin({ position, gap, unknown }: Frame & { type: "subscribed" }): Promise<void> {
    this.#attempt = 0;
    const since = this.#position;
    // A hub that was restored from a backup counts from where it stood then: what it tells now is new, though its position is not.
    if (since === undefined || (gap && position < since)) this.#position = position;
    this.#isReady();
    if (gap && since !== undefined) await this.#tell(() => this.#options.onGap?.({ since, position }));
    if (unknown.length > 0) await this.#report(new HubError(Code.invalidType, `The hub does not know ${unknown.join(", ")}.`));
  }

  async #handle(event: HubEvent): Promise<void> {
    for (let tries = 1; !(await this.#succeeds(event, tries)); tries += 1) {
      if (this.#isClosed) return;
    }
    this.#position = event.position;
  }

  /** Whether nothing is left to do for the event. If not, it was waited. */
  async #succeeds(event: HubEvent, tries: number): Promise<boolean> {
    try {
      await this.#callback(event);
      return true;
    } catch (cause) {
      const retryInMs = backoffMs(tries - 1, CALLBACK_FIRST_MS, CALLBACK_CAP_MS, this.#ports.clock.random());
      const message = `The callback failed for ${event.event} ${event.id}: ${cause instanceof Error ? cause.message : String(cause)}`;
      if ((await this.#report(new HubError(Code.callback, message, { cause, event, tries, retryInMs }))) === "skip") return true;
      await this.#pause(retryInMs);
      return false;
    }
  }

  /** Waits as long as what failed asks for: short if nobody answered, long if we were turned away. */
  async #wait(cause: unknown): Promise<void> {
    const problem = cause instanceof HubError ? cause : new HubError("broken", `The stream failed: ${String(cause)}`, { cause });
    const again = Math.max(this.#backoff(), problem.retryInMs ?? 0);
    const retryInMs = problem.isTemporary ? again : backoffMs(0, REFUSED_MS, REFUSED_MS, this.#ports.clock.random());
    const { code, message, status, field } = problem;
    if (!this.#isClosed) await this.#report(new HubError(code, message, { status, field, retryInMs, cause }));
    await this.#pause(retryInMs);
  }

  #backoff(): number {
    this.#attempt += 1;
    return backoffMs(this.#attempt - 1, RETRY_FIRST_MS, RETRY_CAP_MS, this.#ports.clock.random());
  }

  async #pause(durationMs: number): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#ports.clock.after(durationMs, resolve);
      this.#hurry = () => {
        cancel();
        resolve();
      };
    });
  }

  async #report(problem: HubError): Promise<unknown> {
    const { onError } = this.#options;
    if (onError) return this.#tell(() => onError(problem));
    console.error(`nexus: ${problem.message}`);
    return undefined;
  }

  /** A fault in a function that hears of faults must not end the subscription. */
  async #tell(act: () => unknown): Promise<unknown> {
    try {
      return await act();
    } catch (cause) {
      console.error("nexus: onError or onGap threw", cause);
      return undefined;
    }
  }
}
