import { ApiError } from "@nexus/sdk/rest/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PageQuery } from "../src/features/hub/server.ts";
import type { Job, Listed } from "../src/features/hub/shapes.ts";
import { LIVE_ROWS_MAX, PAGE, type Socket, Tail } from "../src/features/hub/tail.ts";

const NOW = 1_767_225_600_000;

/** A hub that keeps its events, and a stream that can be broken. */
class FakeHub {
  readonly events: Listed[] = [];
  readonly jobs = new Map<string, readonly Job[]>();
  readonly sockets: FakeSocket[] = [];
  readonly asked: PageQuery[] = [];
  refusal: Error | null = null;
  oldest = 0;

  readonly tail = new Tail({
    page: async (query) => {
      this.asked.push(query);
      return this.events
        .filter((event) => event.position < (query.before ?? Number.POSITIVE_INFINITY) && (!query.event || event.event === query.event))
        .sort((one, other) => other.position - one.position)
        .slice(0, query.limit)
        .map((event) => ({ ...event, jobs: this.jobs.get(event.id) ?? [] }));
    },
    ticket: async () => {
      if (this.refusal) throw this.refusal;
      return "ticket";
    },
    connect: () => {
      const socket = new FakeSocket(this);
      this.sockets.push(socket);
      setTimeout(() => socket.onopen?.(), 0);
      return socket;
    },
  });

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("Nobody has connected.");
    return socket;
  }

  add(position: number, event = "GAUGE:READING"): Listed {
    const made: Listed = { id: `e${position}`, position, event, payload: {}, source: "default", timestamp: NOW };
    this.events.push(made);
    return made;
  }

  push(position: number, event?: string): void {
    this.socket.tell(this.add(position, event));
  }

  get shown(): number[] {
    return this.tail.state().events.map((event) => event.position);
  }
}

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { readonly data: unknown }) => void) | null = null;
  onclose: ((close: { readonly code: number }) => void) | null = null;
  readonly sent: { action: string; since?: number }[] = [];
  readonly #hub: FakeHub;

  constructor(hub: FakeHub) {
    this.#hub = hub;
  }

  tell(what: object): void {
    this.onmessage?.({ data: JSON.stringify(what) });
  }

  send(text: string): void {
    const command = JSON.parse(text) as { action: string; since?: number };
    this.sent.push(command);
    if (command.action === "ping") this.tell({ status: "pong" });
    if (command.action !== "subscribe") return;
    const head = Math.max(0, ...this.#hub.events.map((event) => event.position));
    const { since } = command;
    this.tell({ status: "subscribed", position: head, gap: since !== undefined && since < this.#hub.oldest });
    if (since === undefined) return;
    for (const event of this.#hub.events) if (event.position > Math.max(since, this.#hub.oldest)) this.tell(event);
    this.tell({ status: "caught_up", position: head });
  }

  close(): void {
    this.onclose?.({ code: 1000 });
  }
}

let hub: FakeHub;
const pass = (ms = 150) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  hub = new FakeHub();
});
afterEach(() => {
  hub.tail.stop();
  vi.useRealTimers();
});

test("shows what was there, and what comes on top of it", async () => {
  hub.add(1);
  hub.add(2);
  hub.tail.start();
  await pass();
  expect(hub.tail.state().connection.status).toBe("live");
  hub.push(3);
  await pass();
  expect(hub.shown).toEqual([3, 2, 1]);
  expect(hub.tail.state().older).toBe("end");
});

test("what comes while the reader is elsewhere is counted, and shown when they come back", async () => {
  hub.tail.start();
  await pass();
  hub.tail.follow(false);
  hub.push(1);
  hub.push(2);
  await pass();
  expect(hub.shown).toEqual([]);
  expect(hub.tail.state().held).toBe(2);
  hub.tail.follow(true);
  expect(hub.shown).toEqual([2, 1]);
  expect(hub.tail.state().held).toBe(0);
});

test("after a break it says that it is not live, and goes on where it was", async () => {
  hub.add(1);
  hub.tail.start();
  await pass();
  hub.socket.close();
  expect(hub.tail.state().connection.status).toBe("waiting");
  hub.add(2);
  hub.add(3);
  await pass(2_000);
  expect(hub.socket.sent[0]?.since).toBe(1);
  expect(hub.shown).toEqual([3, 2, 1]);
  expect(hub.tail.state().connection.status).toBe("live");
  expect(hub.tail.state().gap).toBe(false);
});

test("a hole in what the server keeps is said", async () => {
  hub.add(1);
  hub.tail.start();
  await pass();
  hub.socket.close();
  hub.oldest = 5;
  hub.add(6);
  await pass(2_000);
  expect(hub.tail.state().gap).toBe(true);
  expect(hub.shown).toContain(6);
});

test("it tries again ever later, and at once when it is hurried", async () => {
  hub.refusal = new Error("no network");
  hub.tail.start();
  await pass(0);
  expect(hub.tail.state().connection).toEqual({ status: "waiting", until: Date.now() + 1_000 });
  await pass(1_000);
  expect(hub.tail.state().connection).toEqual({ status: "waiting", until: Date.now() + 2_000 });
  hub.refusal = null;
  hub.tail.hurry();
  await pass();
  expect(hub.tail.state().connection.status).toBe("live");
});

test("without the stream the events are read all the same", async () => {
  hub.add(1);
  hub.refusal = new Error("no network");
  hub.tail.start();
  await pass(0);
  expect(hub.shown).toEqual([1]);
});

test("whoever may not any more is told, and it does not knock on", async () => {
  hub.refusal = new ApiError(401, { error: "invalid_token" }, null);
  hub.tail.start();
  await pass(60_000);
  expect(hub.tail.state().connection.status).toBe("ended");
  expect(hub.sockets).toHaveLength(0);
});

test("a stream that does not answer a ping is given up", async () => {
  hub.tail.start();
  await pass();
  const { socket } = hub;
  socket.tell = () => undefined;
  await pass(36_500);
  expect(hub.sockets.length).toBeGreaterThan(1);
});

test("outcomes are asked for until nothing waits", async () => {
  hub.tail.start();
  await pass();
  hub.push(1);
  await pass(1_200);
  const job: Job = {
    id: "9",
    reactor: "r",
    event_id: "e1",
    key: "k",
    state: "done",
    tries: 1,
    due: null,
    created: NOW,
    ended: NOW,
    took_ms: 3,
    reason: null,
  };
  hub.jobs.set("e1", [{ ...job, state: "running" }]);
  await pass(1_200);
  expect(hub.tail.state().events[0]?.jobs?.[0]?.state).toBe("running");
  hub.jobs.set("e1", [job]);
  await pass(1_200);
  expect(hub.tail.state().events[0]?.jobs?.[0]?.state).toBe("done");
  const before = hub.asked.length;
  await pass(10_000);
  expect(hub.asked.length).toBe(before);
});

test("what waits for later is left in peace until then", async () => {
  const job: Job = {
    id: "9",
    reactor: "r",
    event_id: "e1",
    key: "k",
    state: "waiting",
    tries: 2,
    due: NOW + 60_000,
    created: NOW,
    ended: null,
    took_ms: 3,
    reason: null,
  };
  hub.add(1);
  hub.jobs.set("e1", [job]);
  hub.tail.start();
  await pass(1_500);
  const before = hub.asked.length;
  await pass(50_000);
  expect(hub.asked.length).toBe(before);
  await pass(12_000);
  expect(hub.asked.length).toBeGreaterThan(before);
});

test("who leaves and comes back at once has one stream", async () => {
  hub.tail.start();
  hub.tail.stop();
  hub.tail.start();
  await pass();
  expect(hub.sockets).toHaveLength(1);
  expect(hub.tail.state().connection.status).toBe("live");
});

test("a filter shows only its type, also of what is pushed", async () => {
  hub.add(1, "FLOWPAY:PAYMENT_RECEIVED");
  hub.add(2);
  hub.tail.start();
  await pass();
  hub.tail.show({ event: "FLOWPAY:PAYMENT_RECEIVED", source: null, words: [] });
  await pass();
  hub.push(3);
  hub.push(4, "FLOWPAY:PAYMENT_RECEIVED");
  await pass();
  expect(hub.shown).toEqual([4, 1]);
});

test("history comes page by page, each event once", async () => {
  for (let position = 1; position <= 250; position++) hub.add(position);
  hub.tail.start();
  await pass();
  expect(hub.shown).toHaveLength(PAGE);
  await hub.tail.loadOlder();
  await Promise.all([hub.tail.loadOlder(), hub.tail.loadOlder()]);
  expect(hub.shown).toEqual(Array.from({ length: 250 }, (_, at) => 250 - at));
  expect(hub.tail.state().older).toBe("end");
});

test("a long day does not fill the memory", async () => {
  hub.tail.start();
  await pass();
  for (let position = 1; position <= LIVE_ROWS_MAX + 50; position++) hub.push(position);
  await pass();
  expect(hub.shown).toHaveLength(LIVE_ROWS_MAX);
  expect(hub.shown[0]).toBe(LIVE_ROWS_MAX + 50);
  expect(hub.tail.state().older).toBe("more");
});
