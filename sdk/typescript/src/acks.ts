/** Tells the instance what was read: at once here, a moment later there, and only the newest message of a channel. */
import { type Clock, systemClock } from "./clock.ts";
import { isNewer } from "./ids.ts";
import { readUpTo } from "./store/selectors.ts";
import type { Store } from "./store/store.ts";
import type { Id } from "./wire.ts";

/** How long reading on may go before it is told. */
const ACK_AFTER_MS = 800;

export class Acks {
  readonly #store: Store;
  readonly #send: (channelId: Id, messageId: Id) => Promise<void>;
  readonly #clock: Clock;
  /** Marked here, not yet confirmed there. */
  readonly #pending = new Map<Id, Id>();
  #cancel: (() => void) | null = null;

  constructor(store: Store, send: (channelId: Id, messageId: Id) => Promise<void>, clock: Clock = systemClock) {
    this.#store = store;
    this.#send = send;
    this.#clock = clock;
  }

  /** Marks a channel read up to a message. Older messages than the one marked change nothing. */
  read(channelId: Id, messageId: Id): void {
    if (!isNewer(messageId, readUpTo(this.#store.state(), channelId))) return;
    this.#store.dispatch({ type: "read_marked", channelId, messageId });
    this.#pending.set(channelId, messageId);
    this.#schedule();
  }

  /** READY told the instance's view: what it has not heard yet is marked again, and sent again. */
  renew(): void {
    for (const [channelId, messageId] of this.#pending) this.#store.dispatch({ type: "read_marked", channelId, messageId });
    if (this.#pending.size > 0) this.#schedule();
  }

  forget(): void {
    this.#pending.clear();
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(): void {
    this.#cancel ??= this.#clock.after(ACK_AFTER_MS, () => {
      this.#cancel = null;
      for (const [channelId, messageId] of this.#pending) void this.#tell(channelId, messageId);
    });
  }

  async #tell(channelId: Id, messageId: Id): Promise<void> {
    try {
      await this.#send(channelId, messageId);
      if (this.#pending.get(channelId) === messageId) this.#pending.delete(channelId);
    } catch {
      // Kept; the next mark or the next READY sends it again.
    }
  }
}
