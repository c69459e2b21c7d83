import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { NexusClient } from "../../src/hub/client.ts";
import { HubError } from "../../src/hub/errors.ts";
import { type Asked, event, fakeHub, json } from "./fakeHub.ts";

const SECRET = "an example secret of 32 bytes ok";
/** Real time for WebCrypto, which settles outside of our turns; but pauses end at once and are recorded. */
function impatient() {
  const pausesMs: number[] = [];
  const clock = {
    ...systemClock,
    random: () => 0.5,
    after(delayMs: number, act: () => void) {
      if (delayMs === 15_000) return () => {};
      pausesMs.push(delayMs);
      const timer = setTimeout(act, 0);
      return () => clearTimeout(timer);
    },
  };
  return { pausesMs, hub: fakeHub({ secret: SECRET, source: "gauges", clock }) };
}

function signature({ headers }: Asked, signed: string): string {
  return createHmac("sha256", SECRET)
    .update(`${headers.get("x-nexus-timestamp")}.${signed}`)
    .digest("hex");
}

const DONE = { status: "dispatched", event: "GAUGE:READING", id: "9", position: 9 };

describe("publishing", () => {
  it("signs the very bytes that it sends, with the time, the source and an id", async () => {
    const { hub } = impatient();
    hub.answer = () => json(200, DONE);
    const published = await hub.client.publish("GAUGE:READING", { level: 3.5, place: "Brücke" });
    expect(published).toEqual({ id: "9", position: 9, event: "GAUGE:READING", duplicate: false });
    const call = hub.asked[0] as Asked;
    expect(call.body).toBe('{"event":"GAUGE:READING","payload":{"level":3.5,"place":"Brücke"}}');
    expect(call.headers.get("x-nexus-signature")).toBe(signature(call, call.body ?? ""));
    expect(call.headers.get("x-nexus-source")).toBe("gauges");
    expect(call.headers.get("x-nexus-event-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Number(call.headers.get("x-nexus-timestamp")) - Date.now() / 1_000)).toBeLessThan(5);
  });

  it("repeats a lost or refused try with the same id, as patiently as it is asked to be", async () => {
    const { hub, pausesMs } = impatient();
    const answers = [new Error("reset"), json(503, {}, { "retry-after": "7" }), json(429, {}), json(502, {})];
    hub.answer = () => answers.shift() ?? json(200, { ...DONE, status: "duplicate" });
    expect((await hub.client.publish("GAUGE:READING", {}, { id: "reading-1" })).duplicate).toBe(true);
    expect(hub.asked.map(({ headers }) => headers.get("x-nexus-event-id"))).toEqual(Array(5).fill("reading-1"));
    expect(pausesMs).toEqual([375, 7_000, 1_500, 3_000]);
  });

  it("gives up when its time is over, or would be before the hub wants to be asked again", async () => {
    const { hub } = impatient();
    hub.answer = () => json(503, { message: "The disk is full." }, { "retry-after": "3600" });
    await expect(hub.client.publish("GAUGE:READING", {})).rejects.toMatchObject({ code: "unreachable", status: 503 });
    expect(hub.asked).toHaveLength(1);
  });

  it.each([
    [400, { error: "Invalid event type" }, { code: "invalid_event_type" }],
    [400, { error: "invalid_payload", message: "too low", field: "payload.level" }, { code: "invalid_payload", field: "payload.level" }],
    [401, { error: "invalid_signature", message: "no" }, { code: "invalid_signature", status: 401 }],
    [409, { error: "event_conflict", message: "no" }, { code: "event_conflict" }],
    [418, "tea", { code: "refused", message: "The hub answered 418." }],
  ])("does not repeat what is refused with %i %j", async (status, body, expected) => {
    const { hub } = impatient();
    hub.answer = () => json(status, body);
    const problem = await hub.client.publish("GAUGE:READING", {}).catch((cause: unknown) => cause);
    expect(problem).toBeInstanceOf(HubError);
    expect(problem).toMatchObject(expected);
    expect(hub.asked).toHaveLength(1);
  });

  it("refuses an id that no header can carry", async () => {
    const { hub } = impatient();
    for (const id of ["", "Brücke", "a\nb", "x".repeat(129)])
      await expect(hub.client.publish("GAUGE:READING", {}, { id })).rejects.toThrow("ASCII");
    expect(hub.asked).toHaveLength(0);
  });

  it("ends with the client", async () => {
    const { hub } = impatient();
    hub.answer = () => {
      void hub.client.close();
      return new Error("reset");
    };
    await expect(hub.client.publish("GAUGE:READING", {})).rejects.toMatchObject({ code: "closed" });
  });
});

describe("reading", () => {
  it("signs method, path and query where there is no body", async () => {
    const asked: Asked[] = [];
    const client = new NexusClient({
      url: "https://example.org/hub",
      secret: SECRET,
      fetch: async (url, request) => {
        asked.push({
          method: "GET",
          path: String(url).replace("https://example.org/hub", ""),
          headers: new Headers(request?.headers),
          body: null,
        });
        return json(200, [event(2), { nonsense: true }, event(1)]);
      },
    });
    const events = await client.events({ limit: 10, before: 99, source: "gauges", events: ["GAUGE:READING", "MIO:*"] });
    expect(events.map(({ position }) => position)).toEqual([2, 1]);
    const call = asked[0] as Asked;
    expect(call.path).toBe("/events?limit=10&before=99&source=gauges&event=GAUGE%3AREADING%2CMIO%3A*");
    expect(call.headers.get("x-nexus-signature")).toBe(signature(call, `GET ${call.path}`));
    expect(call.headers.get("x-nexus-source")).toBeNull();
  });

  it("needs a secret or a token, and an address on the web", () => {
    expect(() => new NexusClient({ url: "https://example.org" })).toThrow("secret");
    expect(() => new NexusClient({ url: "https://example.org", token: "nxa_1\n" })).toThrow("ASCII");
    expect(() => new NexusClient({ url: "file:///x", token: "nxa_1" })).toThrow("file:");
  });
});
