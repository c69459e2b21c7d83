/**
 * The events as they come, and those before them: one live stream, pages of history, and what became of each.
 *
 * The stream pushes an event when it is committed. What its reactors did is asked for afterwards, until nothing waits.
 */
import { ApiError, LoggedOutError } from "@nexus/sdk/rest/errors";
import { parseExact } from "./exactJson.ts";
import { type Filter, NO_FILTER, passes } from "./filters.ts";
import type { PageQuery } from "./server.ts";
import type { HubEvent, Job, Listed } from "./shapes.ts";

export const PAGE = 100;
/** So many rows are kept while new ones come; older ones can be read again. */
export const LIVE_ROWS_MAX = 2_000;
/** So many rows are held in all, however far somebody scrolls. */
export const ROWS_MAX = 20_000;
/** What comes within this time is shown together. */
const FLUSH_MS = 100;
const LIVES_MS = 1_000;
/** An event without a job that is younger than this may still get one. */
export const FRESH_MS = 3_000;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000] as const;
const PING_MS = 25_000;
const PONG_MS = 10_000;

export type Connection =
  | { readonly status: "connecting" }
  | { readonly status: "live" }
  /** Not live; `until` is when it tries again. */
  | { readonly status: "waiting"; readonly until: number }
  /** Not live, and it will not be: whoever asked may not any more. */
  | { readonly status: "ended" };

export interface TailState {
  /** Newest first. */
  readonly events: readonly Listed[];
  /** So many came since the reader went down the list or stopped it. */
  readonly held: number;
  readonly connection: Connection;
  /** What there is below the last row. */
  readonly older: "more" | "loading" | "failed" | "full" | "end";
  /** The first page is there. */
  readonly loaded: boolean;
  readonly failure: unknown;
  /** Some events that came while it was not live are no longer kept by the server. */
  readonly gap: boolean;
}

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((message: { readonly data: unknown }) => void) | null;
  onclose: ((close: { readonly code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface TailPorts {
  page(query: PageQuery): Promise<readonly Listed[]>;
  ticket(): Promise<string>;
  connect(ticket: string): Socket;
}

interface Told {
  readonly status?: "subscribed" | "caught_up" | "pong" | "error";
  readonly position?: number;
  readonly gap?: boolean;
}

const EMPTY: TailState = {
  events: [],
  held: 0,
  connection: { status: "connecting" },
  older: "more",
  loaded: false,
  failure: null,
  gap: false,
};

export class Tail {
  readonly #ports: TailPorts;
  readonly #listeners = new Set<() => void>();
  #state = EMPTY;
  #filter: Filter = NO_FILTER;
  /** Counts the lists shown: an answer for an earlier one is dropped. */
  #list = 0;
  #socket: Socket | null = null;
  #isRunning = false;
  /** Counts the tries to connect: what an earlier one still brings is dropped. */
  #attempt = 0;
  #follows = true;
  #head: number | null = null;
  #failures = 0;
  #arrived: HubEvent[] = [];
  #held: Listed[] = [];
  #timers = new Map<"flush" | "retry" | "lives" | "ping" | "pong", ReturnType<typeof setTimeout>>();
  /** Below this position the next round for lives goes on. */
  #livesBelow = Number.POSITIVE_INFINITY;

  constructor(ports: TailPorts) {
    this.#ports = ports;
  }

  readonly state = (): TailState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#connect();
    this.#later("lives", LIVES_MS, () => void this.#askLives());
  }

  stop(): void {
    this.#isRunning = false;
    this.#attempt += 1;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** Shows what passes the filter's part for the server. */
  show(filter: Filter): void {
    if (filter.event === this.#filter.event && filter.source === this.#filter.source) return;
    this.#filter = filter;
    this.#arrived = [];
    this.#held = [];
    this.#change({ events: [], held: 0, older: "more", loaded: false, failure: null });
    void this.#loadNewest();
  }

  /** While nobody stands at the top, or the reader stopped it, new events are counted and not shown. */
  follow(follows: boolean): void {
    this.#follows = follows;
    if (follows) this.#release();
  }

  /** Tries at once when the network or the reader comes back. */
  readonly hurry = (): void => {
    if (this.#state.connection.status !== "waiting") return;
    this.#clear("retry");
    void this.#connect();
  };

  /** Reads the newest events anew, with what became of them meanwhile. */
  readonly refresh = (): void => {
    void this.#loadNewest();
  };

  /** Another page of the past. */
  readonly loadOlder = async (): Promise<void> => {
    const { older, events } = this.#state;
    const last = events.at(-1);
    if (!last || older === "loading" || older === "end" || older === "full") return;
    const list = this.#list;
    this.#change({ older: "loading" });
    try {
      const page = await this.#ports.page(this.#query(last.position));
      if (list !== this.#list) return;
      const all = merged(this.#state.events, page);
      this.#change({ events: all, older: page.length < PAGE ? "end" : all.length >= ROWS_MAX ? "full" : "more" });
    } catch {
      if (list === this.#list) this.#change({ older: "failed" });
    }
  };

  /** Takes what is known of an event's jobs from elsewhere. */
  readonly learn = (id: string, jobs: readonly Job[]): void => {
    this.#putJobs(new Map([[id, jobs]]));
  };

  /** Takes what an action has made of one job; what is open again is then watched. */
  readonly learnJob = (job: Job): void => {
    const event = this.#state.events.find((candidate) => candidate.id === job.event_id);
    if (!event?.jobs) return;
    const others = event.jobs.filter((other) => other.id !== job.id);
    this.#putJobs(new Map([[event.id, [...others, job]]]));
  };

  async #connect(): Promise<void> {
    if (!this.#isRunning) return;
    const attempt = ++this.#attempt;
    this.#change({ connection: { status: "connecting" } });
    try {
      const ticket = await this.#ports.ticket();
      if (attempt === this.#attempt) this.#open(this.#ports.connect(ticket));
    } catch (failure) {
      if (attempt !== this.#attempt) return;
      const isOver =
        failure instanceof LoggedOutError || (failure instanceof ApiError && (failure.status === 401 || failure.status === 403));
      if (isOver) this.#change({ connection: { status: "ended" } });
      else this.#wait();
    }
  }

  #open(socket: Socket): void {
    this.#socket = socket;
    socket.onopen = () => {
      const since = this.#head === null ? {} : { since: this.#head };
      socket.send(JSON.stringify({ action: "subscribe", events: ["*"], ...since }));
      this.#ping(socket);
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket && typeof data === "string") this.#hear(data);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#clear("ping");
      this.#clear("pong");
      this.#wait();
    };
  }

  #hear(text: string): void {
    const told = parseExact(text) as Told & HubEvent;
    if (told.event !== undefined && told.status === undefined) {
      this.#arrive(told);
      return;
    }
    if (told.status === "pong") this.#clear("pong");
    if (told.status === "caught_up") this.#live(told.position);
    if (told.status !== "subscribed") return;
    const isFirst = this.#head === null;
    if (isFirst || told.gap) void this.#loadNewest();
    if (told.gap) this.#change({ gap: true });
    // After a break the stream first tells what was missed, and says when it has.
    if (isFirst) this.#live(told.position);
  }

  #live(position: number | undefined): void {
    this.#failures = 0;
    if (position !== undefined) this.#head = Math.max(this.#head ?? 0, position);
    this.#change({ connection: { status: "live" } });
  }

  #wait(): void {
    if (!this.#isRunning) return;
    const base = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 30_000;
    this.#failures += 1;
    // What can be read without the stream is read.
    if (!this.#state.loaded && this.#state.failure === null) void this.#loadNewest();
    this.#change({ connection: { status: "waiting", until: Date.now() + base } });
    this.#later("retry", base, () => void this.#connect());
  }

  #ping(socket: Socket): void {
    this.#later("ping", PING_MS, () => {
      socket.send(JSON.stringify({ action: "ping" }));
      this.#later("pong", PONG_MS, () => socket.close());
      this.#ping(socket);
    });
  }

  #arrive(event: HubEvent): void {
    this.#head = Math.max(this.#head ?? 0, event.position);
    if (!passes(this.#filter, event)) return;
    this.#arrived.push(event);
    if (!this.#timers.has("flush")) this.#later("flush", FLUSH_MS, () => this.#flush());
  }

  #flush(): void {
    const fresh = this.#arrived;
    this.#arrived = [];
    if (fresh.length === 0) return;
    if (!this.#follows) {
      this.#held = merged(this.#held, fresh).slice(0, LIVE_ROWS_MAX);
      this.#change({ held: this.#held.length });
      return;
    }
    this.#put(fresh);
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    if (held.length > 0) this.#put(held, { held: 0 });
  }

  #put(fresh: readonly Listed[], also: Partial<TailState> = {}): void {
    const all = merged(this.#state.events, fresh);
    const isTooMany = all.length > LIVE_ROWS_MAX;
    const older = isTooMany && this.#state.older !== "loading" ? { older: "more" as const } : {};
    this.#livesBelow = Number.POSITIVE_INFINITY;
    this.#change({ events: isTooMany ? all.slice(0, LIVE_ROWS_MAX) : all, ...older, ...also });
  }

  async #loadNewest(): Promise<void> {
    const list = ++this.#list;
    this.#change({ failure: null });
    try {
      const page = await this.#ports.page(this.#query());
      if (list !== this.#list) return;
      // What came in between stays; what is older than a hole does not.
      const floor = page.length < PAGE ? Number.NEGATIVE_INFINITY : (page.at(-1)?.position ?? 0);
      const kept = this.#state.events.filter((event) => event.position >= floor);
      this.#change({ events: merged(kept, page), loaded: true, older: page.length < PAGE ? "end" : "more" });
    } catch (failure) {
      if (list === this.#list) this.#change({ failure });
    }
  }

  #query(before?: number): PageQuery {
    const { event, source } = this.#filter;
    return {
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
      ...(event === null ? {} : { event }),
      ...(source === null ? {} : { source }),
    };
  }

  /** Asks what became of the newest events whose end is not known; the round after goes on below them. */
  async #askLives(): Promise<void> {
    const list = this.#list;
    try {
      const open = (event: Listed) => isOpen(event, Date.now());
      const { events } = this.#state;
      const next = events.find((event) => event.position < this.#livesBelow && open(event)) ?? events.find(open);
      this.#livesBelow = Number.POSITIVE_INFINITY;
      if (next && !isHidden()) {
        const page = await this.#ports.page(this.#query(next.position + 1));
        if (list === this.#list) this.#putJobs(new Map(page.map((event) => [event.id, event.jobs ?? []])));
        this.#livesBelow = page.at(-1)?.position ?? Number.POSITIVE_INFINITY;
      }
    } catch {
      // The connection's words say already that the server does not answer.
    }
    if (this.#isRunning) this.#later("lives", LIVES_MS, () => void this.#askLives());
  }

  #putJobs(known: ReadonlyMap<string, readonly Job[]>): void {
    let changed = false;
    const events = this.#state.events.map((event) => {
      const jobs = known.get(event.id);
      if (!jobs || same(event.jobs, jobs)) return event;
      changed = true;
      return { ...event, jobs };
    });
    if (changed) this.#change({ events });
  }

  #change(part: Partial<TailState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }

  #later(name: "flush" | "retry" | "lives" | "ping" | "pong", ms: number, act: () => void): void {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        act();
      }, ms),
    );
  }

  #clear(name: "flush" | "retry" | "lives" | "ping" | "pong"): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** May its outcome still change soon? */
export function isOpen(event: Listed, now: number): boolean {
  if (event.jobs === undefined) return true;
  if (event.jobs.length === 0) return now - event.timestamp < FRESH_MS;
  return event.jobs.some((job) => job.state === "running" || (job.state === "waiting" && (job.due ?? 0) <= now + 1_000));
}

/** Both, newest first, each event once. */
function merged(known: readonly Listed[], more: readonly Listed[]): Listed[] {
  const by = new Map(known.map((event) => [event.position, event]));
  for (const event of more) by.set(event.position, { ...by.get(event.position), ...event });
  return [...by.values()].sort((one, other) => other.position - one.position);
}

function same(one: readonly Job[] | undefined, other: readonly Job[]): boolean {
  return one?.length === other.length && JSON.stringify(one) === JSON.stringify(other);
}

const isHidden = (): boolean => typeof document !== "undefined" && document.visibilityState === "hidden";
