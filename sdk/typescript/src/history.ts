/** Loads history into the store's windows and closes gaps. At most one request of a channel is under way. */
import type { HistoryQuery } from "./rest/rest.ts";
import type { HistoryPage } from "./store/events.ts";
import { lacksHistory, mayReadHistory } from "./store/selectors.ts";
import type { Store } from "./store/store.ts";
import type { Id, Message } from "./wire.ts";

/** Messages of one page. */
export const PAGE_MESSAGES = 50;
const CATCH_UP_PAGE_MESSAGES = 100;
/** Pages fetched to close a gap by itself; a longer one is left open and said so (`hasMoreAfter`). */
const CATCH_UP_PAGES_MAX = 10;

type Direction = "latest" | "before" | "after" | "catch_up";

export class History {
  readonly #store: Store;
  readonly #fetch: (channelId: Id, query: HistoryQuery) => Promise<Message[]>;
  readonly #running = new Map<Id, { readonly direction: Direction; readonly done: Promise<void> }>();

  constructor(store: Store, fetch: (channelId: Id, query: HistoryQuery) => Promise<Message[]>) {
    this.#store = store;
    this.#fetch = fetch;
  }

  /** Makes a channel readable: loads the end of it, or closes the gap after what is held. */
  open(channelId: Id): Promise<void> {
    const state = this.#store.state();
    if (!lacksHistory(state, channelId)) return Promise.resolve();
    // To who may not read history the instance answers empty pages; the window takes what is heard from now on.
    if (!mayReadHistory(state, channelId)) {
      return this.#once(channelId, "latest", async () => this.#loaded(channelId, { part: "latest", reachedStart: true }, []));
    }
    const window = state.windows.get(channelId);
    if (!window || window.withoutHistory) return this.#once(channelId, "latest", () => this.#latest(channelId));
    return this.#once(channelId, "catch_up", () => this.#catchUp(channelId));
  }

  /** Lets the window go and loads the end of the channel. */
  present(channelId: Id): Promise<void> {
    return this.#once(channelId, "latest", () => this.#latest(channelId));
  }

  older(channelId: Id): Promise<void> {
    return this.#once(channelId, "before", async () => {
      const window = this.#store.state().windows.get(channelId);
      const first = window?.messages[0];
      if (!window?.hasMoreBefore || !first) return;
      const messages = await this.#page(channelId, { before: first.id, limit: PAGE_MESSAGES });
      // A window that let its start go meanwhile, or began anew, no longer touches this page.
      if (this.#store.state().windows.get(channelId)?.messages[0]?.id !== first.id) return;
      this.#loaded(channelId, { part: "before", reachedStart: messages.length < PAGE_MESSAGES }, messages);
    });
  }

  newer(channelId: Id): Promise<void> {
    return this.#once(channelId, "after", async () => {
      if (this.#store.state().windows.get(channelId)?.hasMoreAfter) await this.#after(channelId, PAGE_MESSAGES);
    });
  }

  async #latest(channelId: Id): Promise<void> {
    const messages = await this.#page(channelId, { limit: PAGE_MESSAGES });
    this.#loaded(channelId, { part: "latest", reachedStart: messages.length < PAGE_MESSAGES }, messages);
    await this.#catchUp(channelId);
  }

  /** Fetches forward until the window meets what the gateway shows live. */
  async #catchUp(channelId: Id): Promise<void> {
    for (let page = 0; page < CATCH_UP_PAGES_MAX && this.#store.state().windows.get(channelId)?.stale; page++) {
      await this.#after(channelId, CATCH_UP_PAGE_MESSAGES);
    }
  }

  async #after(channelId: Id, limit: number): Promise<void> {
    const last = this.#store.state().windows.get(channelId)?.messages.at(-1);
    const messages = await this.#page(channelId, last ? { after: last.id, limit } : { limit });
    const reachedAll = messages.length < limit;
    const page: HistoryPage = last ? { part: "after", reachedEnd: reachedAll } : { part: "latest", reachedStart: reachedAll };
    this.#loaded(channelId, page, messages);
  }

  async #page(channelId: Id, query: HistoryQuery): Promise<Message[]> {
    return (await this.#fetch(channelId, query)).toReversed();
  }

  #loaded(channelId: Id, page: HistoryPage, messages: readonly Message[]): void {
    this.#store.dispatch({ type: "history_loaded", channelId, page, messages });
  }

  #once(channelId: Id, direction: Direction, load: () => Promise<void>): Promise<void> {
    const running = this.#running.get(channelId);
    if (running?.direction === direction) return running.done;
    if (running) return running.done.catch(() => {}).then(() => this.#once(channelId, direction, load));
    const done = load().finally(() => this.#running.delete(channelId));
    this.#running.set(channelId, { direction, done });
    return done;
  }
}
