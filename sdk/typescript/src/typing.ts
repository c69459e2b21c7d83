/** Typing notices: ours go out at most once in a while, those of others end by themselves. */
import { type Clock, systemClock } from "./clock.ts";
import { TYPING_MS } from "./store/apply.ts";
import type { Store } from "./store/store.ts";
import type { Id } from "./wire.ts";

/** A notice holds for ten seconds; renewed a little earlier it does not flicker. */
const REPEAT_AFTER_MS = TYPING_MS - 2_000;

export class Typing {
  readonly #send: (channelId: Id) => Promise<void>;
  readonly #clock: Clock;
  readonly #sentAtMs = new Map<Id, number>();

  constructor(store: Store, send: (channelId: Id) => Promise<void>, clock: Clock = systemClock) {
    this.#send = send;
    this.#clock = clock;
    store.observe((event) => {
      if (event.type !== "typing_start") return;
      clock.after(Math.max(0, event.startedAtMs + TYPING_MS - clock.nowMs()) + 50, () => {
        store.dispatch({ type: "typing_expired", nowMs: clock.nowMs() });
      });
    });
  }

  /** Somebody types here. A notice that does not arrive is no loss. */
  typed(channelId: Id): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - (this.#sentAtMs.get(channelId) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    this.#sentAtMs.set(channelId, nowMs);
    this.#send(channelId).catch(() => {});
  }

  /** The message was sent; the next one announces itself at once. */
  sent(channelId: Id): void {
    this.#sentAtMs.delete(channelId);
  }
}
