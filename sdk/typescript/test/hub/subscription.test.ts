import { describe, expect, it } from "vitest";
import type { HubEvent } from "../../src/hub/events.ts";
import { settle } from "../fakeClock.ts";
import { event, type FakeHub, fakeHub, json } from "./fakeHub.ts";

function listen(
  more: Parameters<ReturnType<typeof fakeHub>["client"]["subscribe"]>[2] = {},
  act?: (event: HubEvent) => unknown,
  answer?: FakeHub["answer"],
) {
  const hub = fakeHub();
  if (answer) hub.answer = answer;
  const seen: number[] = [];
  const subscription = hub.client.subscribe(
    ["GAUGE:*"],
    async (event) => {
      await act?.(event);
      seen.push(event.position);
    },
    more,
  );
  return { ...hub, hub, seen, subscription };
}

describe("a subscription", () => {
  it("asks for a ticket, opens the stream with it, and says what it wants", async () => {
    const { asked, last, subscription } = listen({ since: 7 });
    await settle();
    expect(asked.map(({ method, path, body }) => [method, path, body])).toEqual([["POST", "/events/tickets", "{}"]]);
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer nxa_1");
    expect(last().url).toBe("wss://hub.example.org/events/stream?token=t%2F1");
    await last().begin(20);
    expect(last().sent).toEqual([{ action: "subscribe", events: ["GAUGE:*"], since: 7 }]);
    await subscription.ready;
    expect(subscription.position).toBe(7);
  });

  it("begins where the hub stands if it is not told where, and comes back to there", async () => {
    const { clock, last, sockets, subscription } = listen();
    await settle();
    await last().begin(20);
    expect(last().sent).toEqual([{ action: "subscribe", events: ["GAUGE:*"] }]);
    expect(subscription.position).toBe(20);
    await last().drop(1012);
    await clock.advance(250);
    await last().begin(25);
    expect(sockets).toHaveLength(2);
    expect(last().sent).toEqual([{ action: "subscribe", events: ["GAUGE:*"], since: 20 }]);
  });

  it("drops what comes twice, and keeps the order while callbacks take their time", async () => {
    const waiting: (() => void)[] = [];
    const { last, seen, subscription } = listen({ since: 0 }, () => new Promise<void>((resolve) => waiting.push(resolve)));
    await settle();
    await last().begin(3);
    await last().give(event(1), event(2), event(2), event(1), { status: "caught_up", position: 9 });
    expect(waiting).toHaveLength(1);
    expect(subscription.position).toBe(0);
    waiting[0]?.();
    await settle();
    expect([seen, subscription.position]).toEqual([[1], 1]);
    waiting[1]?.();
    await settle();
    expect([seen, subscription.position]).toEqual([[1, 2], 9]);
  });

  it("gives an event whose callback threw again, and moves on only when it succeeded", async () => {
    let failures = 2;
    const { clock, last, seen, problems, subscription } = listen({ since: 0 }, () => {
      if (failures-- > 0) throw new Error("disk full");
    });
    await settle();
    await last().begin(3);
    await last().give(event(1), event(2));
    expect([seen, subscription.position]).toEqual([[], 0]);
    expect(problems[0]).toMatchObject({ code: "callback_failed", tries: 1, retryInMs: 750, event: { position: 1 } });
    await clock.advance(750 + 1_500);
    expect(seen).toEqual([1, 2]);
    expect(problems).toHaveLength(2);
  });

  it("gives up on an event if onError says so", async () => {
    const { last, seen, subscription } = listen({ since: 0, onError: async () => "skip" }, ({ position }) => {
      if (position === 1) throw new Error("never");
    });
    await settle();
    await last().begin(3);
    await last().give(event(1), event(2));
    expect([seen, subscription.position]).toEqual([[2], 2]);
  });

  it("survives an onError that throws", async () => {
    const { clock, last, seen } = listen(
      {
        since: 0,
        onError: () => {
          throw new Error("onError is broken too");
        },
      },
      ({ position }) => {
        if (position === 1 && seen.length === 0 && clock.nowMs() < 1_763_632_800_500) throw new Error("once");
      },
    );
    await settle();
    await last().begin(3);
    await last().give(event(1));
    await clock.advance(1_000);
    expect(seen).toEqual([1]);
  });

  it("tells of a gap, and counts anew when the hub was restored to an earlier state", async () => {
    const gaps: unknown[] = [];
    const { last, seen, subscription } = listen({ since: 100, onGap: (gap: object) => gaps.push(gap) });
    await settle();
    await last().begin(40, { gap: true });
    expect(gaps).toEqual([{ since: 100, position: 40 }]);
    await last().give(event(41));
    expect([seen, subscription.position]).toEqual([[41], 41]);
  });

  it("keeps its place when the gap is only that old events are gone", async () => {
    const { last, seen } = listen({ since: 5, onGap: () => {} });
    await settle();
    await last().begin(40, { gap: true });
    await last().give(event(30), event(41));
    expect(seen).toEqual([30, 41]);
  });

  it("names types that the hub does not know", async () => {
    const { last, problems } = listen();
    await settle();
    await last().begin(1, { invalidEvents: ["GAUGE:NOTHING"] });
    expect(problems[0]?.message).toBe("The hub does not know GAUGE:NOTHING.");
  });

  it("comes back at once after 4901 if it got on, and waits longer each time if nobody answers", async () => {
    const { clock, hub, last, sockets, asked, problems } = listen({ since: 0 });
    await settle();
    await last().begin(3);
    await last().give(event(1));
    await last().drop(4901);
    expect(sockets).toHaveLength(2);
    hub.answer = () => new Error("ECONNREFUSED");
    await last().drop(1006);
    const triedAtMs = [];
    for (let step = 0; step < 200; step += 1) {
      const before = asked.length;
      await clock.advance(100);
      if (asked.length > before) triedAtMs.push((step + 1) * 100);
    }
    expect(triedAtMs.slice(0, 5)).toEqual([200, 600, 1_400, 2_900, 5_900]);
    expect(problems.every(({ code }) => code === "unreachable")).toBe(true);
  });

  it("tells of a stream that never begins", async () => {
    const { last, problems } = listen();
    await settle();
    await last().drop(1006);
    expect(problems[0]).toMatchObject({ code: "unreachable", message: "The stream ended before it began (1006)." });
  });

  it("says clearly that it was turned away, and tries again only after a while", async () => {
    const refused = { error: "invalid_signature", message: "The signature does not fit." };
    const { clock, asked, problems } = listen({}, undefined, () => json(401, refused));
    await settle();
    expect(problems[0]).toMatchObject({
      code: "invalid_signature",
      status: 401,
      message: "The signature does not fit.",
      retryInMs: 45_000,
    });
    await clock.advance(44_999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(asked).toHaveLength(2);
  });

  it("waits as Retry-After asks", async () => {
    const { clock, asked } = listen({}, undefined, () => json(429, { error: "rate_limited" }, { "retry-after": "12" }));
    await settle();
    await clock.advance(11_999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(asked).toHaveLength(2);
  });

  it("notices a connection that died silently", async () => {
    const { clock, last, sockets } = listen();
    await settle();
    await last().begin(1);
    await clock.advance(20_000);
    expect(last().sent.at(-1)).toEqual({ action: "ping" });
    await last().give({ status: "pong" });
    await clock.advance(20_000 + 9_999);
    expect(sockets).toHaveLength(1);
    await clock.advance(1 + 250);
    expect(sockets).toHaveLength(2);
    expect(sockets[0]?.isClosed).toBe(true);
  });

  it("hangs up when too much waits, works it off, and comes back for the rest", async () => {
    const waiting: (() => void)[] = [];
    const { last, sockets, seen } = listen({ since: 0 }, () => new Promise<void>((resolve) => waiting.push(resolve)));
    await settle();
    await last().begin(3);
    const padding = "x".repeat(1024 * 1024);
    for (let position = 1; position <= 12; position += 1) await last().give({ ...event(position), payload: { padding } });
    expect(sockets[0]?.isClosed).toBe(true);
    while (seen.length < 9) {
      waiting.shift()?.();
      await settle();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await last().begin(12);
    expect(last().sent).toEqual([{ action: "subscribe", events: ["GAUGE:*"], since: 9 }]);
  });

  it("ends when told: the callback that runs may finish, no other begins", async () => {
    const waiting: (() => void)[] = [];
    const { clock, client, last, seen } = listen({ since: 0 }, () => new Promise<void>((resolve) => waiting.push(resolve)));
    await settle();
    await last().begin(3);
    await last().give(event(1), event(2));
    let isClosed = false;
    const closing = client.close().then(() => {
      isClosed = true;
    });
    await settle();
    expect(isClosed).toBe(false);
    waiting[0]?.();
    await closing;
    expect(seen).toEqual([1]);
    expect(waiting).toHaveLength(1);
    expect(clock.waiting).toBe(0);
    expect(last().isClosed).toBe(true);
  });

  it("takes 1 to 20 types", () => {
    const { client } = fakeHub();
    expect(() => client.subscribe([], () => {})).toThrow("1 to 20");
    expect(() => client.subscribe(Array(21).fill("A:B"), () => {})).toThrow("1 to 20");
  });
});
