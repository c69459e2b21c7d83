/** Holds the current state and tells listeners when it changed; made for `useSyncExternalStore`. */
import { apply } from "./apply.ts";
import type { StoreEvent } from "./events.ts";
import { emptyState, type State } from "./state.ts";

export class Store {
  #state: State = emptyState;
  readonly #listeners = new Set<() => void>();
  readonly #observers = new Set<(event: StoreEvent, state: State) => void>();

  /** The current state; the same object until something changes. */
  readonly state = (): State => this.#state;

  /** Calls back after every change; the answer ends it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Calls back for every event, after it was applied, whether or not it changed anything. */
  observe(observer: (event: StoreEvent, state: State) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  dispatch(event: StoreEvent): void {
    const before = this.#state;
    this.#state = apply(before, event);
    for (const observer of this.#observers) observer(event, this.#state);
    if (this.#state === before) return;
    for (const listener of this.#listeners) listener();
  }
}
