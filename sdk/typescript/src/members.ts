/** Fetches the members of guilds that were large and are not any more: the gateway tells who comes and goes, not who was there. */
import { type Clock, systemClock } from "./clock.ts";
import { LoggedOutError } from "./rest/errors.ts";
import type { Store } from "./store/store.ts";
import type { Id, Member } from "./wire.ts";

/** The most that one request gives; more than a guild has that is not large. */
export const MEMBERS_MAX = 1_000;
const RETRY_AFTER_MS = 5_000;

export class Members {
  readonly #store: Store;
  readonly #fetch: (guildId: Id) => Promise<Member[]>;
  readonly #clock: Clock;
  /** Each request by a mark of its own: an answer to one that was given up counts for nothing. */
  readonly #running = new Map<Id, symbol>();

  constructor(store: Store, fetch: (guildId: Id) => Promise<Member[]>, clock: Clock = systemClock) {
    this.#store = store;
    this.#fetch = fetch;
    this.#clock = clock;
    store.observe((event) => {
      if (event.type === "guild_create") this.#running.delete(event.guild.id);
      else if (event.type === "logged_out") this.#running.clear();
      this.#begin();
    });
  }

  #begin(): void {
    const { partial, guilds } = this.#store.state();
    for (const guildId of partial.keys()) {
      if (!this.#running.has(guildId) && !guilds.get(guildId)?.large) void this.#load(guildId);
    }
  }

  async #load(guildId: Id): Promise<void> {
    const mark = Symbol(guildId);
    this.#running.set(guildId, mark);
    try {
      const members = await this.#fetch(guildId);
      if (this.#running.get(guildId) !== mark) return;
      this.#running.delete(guildId);
      this.#store.dispatch({ type: "members_loaded", guildId, members });
    } catch (failure) {
      if (failure instanceof LoggedOutError) return;
      this.#clock.after(RETRY_AFTER_MS, () => {
        if (this.#running.get(guildId) !== mark) return;
        this.#running.delete(guildId);
        this.#begin();
      });
    }
  }
}
