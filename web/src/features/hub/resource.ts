/** An answer of the server, held outside of the components that show it. */
import { useEffect, useSyncExternalStore } from "react";

export interface Asked<T> {
  /** Nothing until it was read for the first time. */
  readonly value: T | undefined;
  /** Why the last reading failed; what was read before stays. */
  readonly failure: unknown;
  /** When it was last read, in milliseconds. */
  readonly at: number | null;
}

export class Resource<T> {
  readonly #load: () => Promise<T>;
  readonly #listeners = new Set<() => void>();
  #state: Asked<T> = { value: undefined, failure: null, at: null };
  #asked = 0;
  #taken = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  readonly state = (): Asked<T> => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get isBusy(): boolean {
    return this.#asked > this.#taken;
  }

  /** Reads it anew. Of several readings the one that was asked last counts. */
  readonly refresh = async (): Promise<void> => {
    const asked = ++this.#asked;
    let next: Asked<T>;
    try {
      next = { value: await this.#load(), failure: null, at: Date.now() };
    } catch (failure) {
      next = { ...this.#state, failure };
    }
    if (asked < this.#taken) return;
    this.#taken = asked;
    this.#set(next);
  };

  /** Takes what another route has told of it. */
  readonly change = (edit: (value: T) => T): void => {
    const { value } = this.#state;
    if (value !== undefined) this.#set({ ...this.#state, value: edit(value) });
  };

  #set(state: Asked<T>): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Reads it now and then again, never twice at once, and not while nobody looks. `null` reads once. */
export function useResource<T>(resource: Resource<T>, everyMs: number | null): Asked<T> {
  const state = useSyncExternalStore(resource.subscribe, resource.state);
  useEffect(() => {
    const read = () => {
      const { at } = resource.state();
      // Two parts may show the same answer.
      const isNew = everyMs !== null && at !== null && Date.now() - at < everyMs / 2;
      if (!isNew && !resource.isBusy && document.visibilityState !== "hidden") void resource.refresh();
    };
    read();
    if (everyMs === null) return;
    const timer = setInterval(read, everyMs);
    return () => clearInterval(timer);
  }, [resource, everyMs]);
  return state;
}
