/** Hands the hub to the parts of its page: the server, the stream, and the answers that more than one part shows. */
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { Resource } from "./resource.ts";
import { type HubServer, JOBS_PAGE } from "./server.ts";
import type { DeadLetter, Delivery, Job, Life, Reactor, Source, Stats, Subscriber, TypeInfo, Webhook } from "./shapes.ts";
import { type Socket, Tail } from "./tail.ts";

/** So many lives and logs of deliveries are held; those that were opened first go. */
const HELD_MAX = 100;
/** The list of dead letters among the lists of jobs; the others have the ids of their webhooks. */
export const DEAD = "dead";

export class Hub {
  readonly server: HubServer;
  readonly tail: Tail;
  readonly stats: Resource<Stats>;
  readonly types: Resource<readonly TypeInfo[]>;
  readonly reactors: Resource<readonly Reactor[]>;
  readonly deadLetters: Resource<readonly DeadLetter[]>;
  readonly streams: Resource<readonly Subscriber[]>;
  readonly webhooks: Resource<readonly Webhook[]>;
  readonly sources: Resource<readonly Source[]>;
  /** How many pages of a list of jobs somebody wants to see, by the list's name. */
  readonly #pages = new Map<string, number>();
  readonly #lives = new Map<string, Resource<Life>>();
  readonly #deliveries = new Map<string, Resource<readonly Delivery[]>>();

  constructor(server: HubServer) {
    this.server = server;
    this.tail = new Tail({
      page: server.page,
      ticket: server.ticket,
      connect: (ticket) =>
        new WebSocket(`${location.origin.replace(/^http/, "ws")}/events/stream?token=${encodeURIComponent(ticket)}`) as Socket,
    });
    this.stats = new Resource(server.stats);
    this.types = new Resource(server.types);
    this.reactors = new Resource(server.reactors);
    this.deadLetters = new Resource(() => this.#jobs(DEAD, server.deadLetters));
    this.streams = new Resource(server.streams);
    this.webhooks = new Resource(server.webhooks);
    this.sources = new Resource(server.sources);
  }

  /** An event with everything that became of it. */
  life(id: string): Resource<Life> {
    return held(this.#lives, id, async () => {
      const life = await this.server.life(id);
      this.tail.learn(id, life.jobs);
      return life;
    });
  }

  deliveries(id: string): Resource<readonly Delivery[]> {
    return held(this.#deliveries, id, () => this.#jobs(id, (before) => this.server.deliveries(id, before)));
  }

  /** Does the server have more than is shown of this list: of the dead letters, or of a webhook's deliveries? */
  hasMore(name: string, shown: number): boolean {
    return shown >= this.#wanted(name) * JOBS_PAGE;
  }

  /** Shows one page more of this list. */
  async showMore(name: string): Promise<void> {
    this.#pages.set(name, this.#wanted(name) + 1);
    await (name === DEAD ? this.deadLetters : this.deliveries(name)).refresh();
  }

  #wanted(name: string): number {
    return this.#pages.get(name) ?? 1;
  }

  async #jobs<T extends Job>(name: string, load: (before?: string) => Promise<readonly T[]>): Promise<readonly T[]> {
    const all: T[] = [];
    while (all.length < this.#wanted(name) * JOBS_PAGE) {
      const page = await load(all.at(-1)?.id);
      all.push(...page);
      if (page.length < JOBS_PAGE) break;
    }
    return all;
  }
}

function held<T>(all: Map<string, Resource<T>>, id: string, load: () => Promise<T>): Resource<T> {
  const known = all.get(id);
  if (known) return known;
  const made = new Resource(load);
  all.set(id, made);
  const [first] = all.keys();
  if (all.size > HELD_MAX && first !== undefined) all.delete(first);
  return made;
}

const HubContext = createContext<Hub | null>(null);

/** Opens the stream while the page is there. */
export function HubProvider({ server, children }: { readonly server: HubServer; readonly children: ReactNode }) {
  const [hub] = useState(() => new Hub(server));
  useEffect(() => {
    const { tail } = hub;
    const hurry = () => {
      if (document.visibilityState === "visible") tail.hurry();
    };
    tail.start();
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      tail.stop();
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
    };
  }, [hub]);
  return <HubContext value={hub}>{children}</HubContext>;
}

export function useHub(): Hub {
  const hub = useContext(HubContext);
  if (!hub) throw new Error("useHub needs a HubProvider above it.");
  return hub;
}
