import i18next from "i18next";
import { beforeAll, describe, expect, test } from "vitest";
import { bars, densely, pathOf, roundUp } from "../src/features/hub/charts.ts";
import { ExactNumber, type JsonObject, parseExact, plainOf, printExact, tokensOf } from "../src/features/hub/exactJson.ts";
import { eventIdIn, found, parseFilter, passes } from "../src/features/hub/filters.ts";
import { share, span } from "../src/features/hub/formats.ts";
import { stepsOf } from "../src/features/hub/life.ts";
import { outcomeOf } from "../src/features/hub/outcomes.ts";
import type { Attempt, HubEvent, Job, Life, Listed, Reactor } from "../src/features/hub/shapes.ts";
import { summaryOf } from "../src/features/hub/summaries.ts";

beforeAll(async () => {
  await import("../src/i18n/i18n.ts");
  await import("../src/i18n/addHubWords.ts");
  expect(i18next.t("hub.title")).toBe("Event hub");
});

const NOW = 1_767_225_600_000;
const payload = (text: string) => (parseExact(`{"payload":${text}}`) as { payload: JsonObject }).payload;
const event = (type: string, text: string, more: Partial<Listed> = {}): Listed => ({
  id: "1",
  position: 7,
  event: type,
  payload: payload(text),
  source: "default",
  timestamp: NOW - 60_000,
  ...more,
});
const job = (more: Partial<Job>): Job => ({
  id: "5",
  reactor: "payment-to-mint",
  event_id: "1",
  key: "1",
  state: "done",
  tries: 1,
  due: null,
  created: NOW - 60_000,
  ended: NOW - 59_969,
  took_ms: 31,
  reason: null,
  ...more,
});

describe("JSON as it was sent", () => {
  test("a payload's numbers keep their spelling", () => {
    const text = '{"amount":15.00,"big":12345678901234567890,"plain":7,"list":[1e2,-0.50,"1.0"],"deep":{"x":2.10}}';
    expect(printExact(payload(text))).toBe(text);
    expect(plainOf(payload(text).amount)).toBe("15.00");
  });

  test("other numbers are plain, however the server spells them", () => {
    expect(parseExact('{"took_ms":31.0,"jobs":[{"took_ms":2.50}]}')).toEqual({ took_ms: 31, jobs: [{ took_ms: 2.5 }] });
  });

  test("strings that look like numbers, escapes and the mark itself survive", () => {
    for (const text of ['{"a":"15.00 \\" 2.0"}', '{"a":"\\\\"}', '{"\\u0041":"x"}', '{"a":"\uE0F115.0"}', '{"a":"\\ue0f115.0","b":1.0}']) {
      expect(parseExact(text)).toEqual(JSON.parse(text));
    }
  });

  test("the printed pieces are the same JSON", () => {
    const value = payload('{"a":[],"b":{"c":null,"d":[true,1.50]},"e":"x"}');
    const text = tokensOf(value)
      .map((token) => token.text)
      .join("");
    expect(JSON.parse(text)).toEqual({ a: [], b: { c: null, d: [true, 1.5] }, e: "x" });
    expect(text).toContain("1.50");
    expect(value.b).not.toBeInstanceOf(ExactNumber);
  });
});

describe("the filter", () => {
  const types = ["FLOWPAY:PAYMENT_RECEIVED", "nexus:message_create"];

  test("knows a type, a namespace and a source; the rest are words", () => {
    expect(parseFilter("flowpay:payment_received", types)).toEqual({ event: "FLOWPAY:PAYMENT_RECEIVED", source: null, words: [] });
    expect(parseFilter("FLOWPAY:* source:shop EUR", types)).toEqual({ event: "FLOWPAY:*", source: "shop", words: ["eur"] });
    expect(parseFilter("orderId:7730", types)).toEqual({ event: null, source: null, words: ["orderid:7730"] });
    expect(parseFilter("  ", types)).toEqual({ event: null, source: null, words: [] });
  });

  test("a word may stand in type, source or payload, and every word must", () => {
    const paid = event("FLOWPAY:PAYMENT_RECEIVED", '{"orderId":"7730","amount":15.00}');
    const finds = (text: string) => found(parseFilter(text, types), paid);
    expect(["payment", "7730", "orderId:7730", "amount:15.00", "default", "payment 15.00"].map(finds)).toEqual(Array(6).fill(true));
    expect(["7731", "orderId:15", "payment 7731"].map(finds)).toEqual([false, false, false]);
  });

  test("what is pushed passes as the server would let it pass", () => {
    const read = event("GAUGE:READING", "{}", { source: "gauge" });
    expect(passes({ event: "GAUGE:*", source: null, words: [] }, read)).toBe(true);
    expect(passes({ event: "GAUGE:*", source: "default", words: [] }, read)).toBe(false);
    expect(passes({ event: "FLOWPAY:*", source: null, words: [] }, read)).toBe(false);
  });

  test("an event's number is one to open", () => {
    expect(eventIdIn(" 1300000000000000001 ")).toBe("1300000000000000001");
    expect(eventIdIn("7730")).toBeNull();
  });
});

describe("a row's words", () => {
  test.each([
    ["FLOWPAY:PAYMENT_RECEIVED", '{"orderId":"7730","amount":15.00,"currency":"EUR"}', "Order 7730, 15.00 EUR"],
    ["FLOWPAY:PAYMENT_RECEIVED", '{"transactionId":"t1","amount":3}', "Order t1, 3"],
    ["FACTORY:MINT_REQUESTED", '{"address":"0x9f","tokenId":"221","amount":1}', "Token 221, 1 for 0x9f"],
    ["FLUXX:VOTE_CAST", '{"proposalId":"12","decision":"for"}', "Proposal 12, for"],
    [
      "nexus:message_create",
      '{"channel_id":"1299112233445566701","message_id":"1299112233445500715"}',
      "Message …500715 in channel …566701",
    ],
    ["GAUGE:READING", '{"gauge":3,"level_m":1.80,"meta":{"x":1},"at":"low","more":1}', "gauge 3, level_m 1.80, at low"],
    ["FLOWPAY:PAYMENT_RECEIVED", '{"odd":true}', "odd true"],
    ["NEXUS:START", "{}", "No fields"],
  ])("%s %s: %s", (type, text, words) => {
    expect(summaryOf(event(type, text))).toBe(words);
  });

  test.each<[string, readonly Job[] | undefined, string, string]>([
    ["not asked yet", undefined, "unknown", ""],
    ["no job", [], "none", "No reactor"],
    ["one done", [job({})], "ok", "payment-to-mint, 31 ms"],
    ["two done", [job({}), job({ reactor: "notify-channel", ended: NOW - 57_700 })], "ok", "2 reactors, 2.3 s"],
    ["one waits for its third try", [job({}), job({ state: "waiting", tries: 2, due: NOW + 5_200 })], "wait", "Try 3, again in 6 s"],
    ["its time has come", [job({ state: "waiting", tries: 2, due: NOW - 1 })], "wait", "Try 3, now"],
    ["its time has long come", [job({ state: "waiting", tries: 2, due: NOW - 9_000 })], "wait", "Try 3, waits"],
    ["not tried yet", [job({ state: "waiting", tries: 0, due: NOW })], "unknown", "Waits for its turn"],
    ["one given up, one waiting", [job({ state: "dead" }), job({ state: "waiting", tries: 1, due: NOW + 9_000 })], "dead", "Dead letter"],
    ["discarded", [job({ state: "discarded" })], "none", "Discarded"],
  ])("%s", (_, jobs, tone, words) => {
    expect(outcomeOf(event("GAUGE:READING", "{}", jobs ? { jobs } : {}), NOW)).toEqual({ tone, words });
  });

  test("an event that is younger than its jobs has no outcome yet", () => {
    expect(outcomeOf(event("GAUGE:READING", "{}", { jobs: [], timestamp: NOW - 500 }), NOW).words).toBe("");
  });
});

describe("a life's steps", () => {
  const attempt = (more: Partial<Attempt>): Attempt => ({
    number: 1,
    began: NOW - 59_000,
    took_ms: 118,
    outcome: "failed",
    status: 502,
    request: null,
    answer: null,
    error: "The factory answered 502.",
    ...more,
  });
  const life = (more: Partial<Life>): Life => ({
    ...(event("FLOWPAY:PAYMENT_RECEIVED", "{}") as HubEvent),
    cause: null,
    hops: 0,
    external_id: null,
    jobs: [],
    ...more,
  });
  const told = (of: Life) => stepsOf(of, NOW).map((step) => `${step.tone} ${step.title}${step.waits ? " …" : ""}`);

  test("are: received, committed, each try, and what comes next", () => {
    const waiting = { ...job({ state: "waiting", tries: 1, due: NOW + 4_000 }), attempts: [attempt({})] };
    expect(told(life({ jobs: [waiting] }))).toEqual([
      "ok Received from default",
      "ok Committed",
      "wait payment-to-mint …",
      "clock payment-to-mint, try 2",
    ]);
  });

  test("say why something waits whose time has come", () => {
    const waiting = { ...job({ state: "waiting", tries: 0, due: NOW }), attempts: [] };
    const reactor = { name: "payment-to-mint", state: "paused", rest_until: null } as Reactor;
    const note = (known: readonly Reactor[]) => stepsOf(life({ jobs: [waiting] }), NOW, known).at(-1)?.note;
    expect(note([])).toBe("Waits for its turn");
    expect(note([reactor])).toBe("Waits while the reactor is paused");
    expect(note([{ ...reactor, state: "resting", rest_until: NOW + 60_000 }])).toMatch(/rests, until \d\d:\d\d:\d\d$/);
  });

  test("end with a dead letter and its reason", () => {
    const dead = {
      ...job({ state: "dead", reason: "Gone." }),
      attempts: [attempt({}), attempt({ number: 2, outcome: "refused", status: 410 })],
    };
    const steps = stepsOf(life({ jobs: [dead] }), NOW);
    expect(steps.map((step) => step.tone)).toEqual(["ok", "ok", "wait", "dead", "dead"]);
    expect(steps.at(-1)?.note).toBe("Gone.");
  });

  test("say who made it, and when nobody wanted it", () => {
    expect(told(life({ source: "reactor/payment-to-mint", cause: { id: "3", event: "FLOWPAY:PAYMENT_RECEIVED" } }))[0]).toBe(
      "ok Made by payment-to-mint",
    );
    expect(told(life({ source: "nexus" }))[0]).toBe("ok Told by the platform");
    expect(told(life({})).at(-1)).toBe("none No reactor");
  });
});

describe("the charts", () => {
  test("minutes without events are there too", () => {
    const dense = densely([{ start: NOW, n: 4 }], NOW + 59_000, 3, (start) => ({ start, n: 0 }));
    expect(dense.map(({ n }) => n)).toEqual([0, 0, 4]);
    expect(dense[0]?.start).toBe(NOW - 120_000);
  });

  test("bars start at zero and stand in proportion, the retried part on top", () => {
    const [bar] = bars([{ start: NOW, events: 40, retried: 10, dead: 0 }], 60, { left: 0, right: 10, top: 0, bottom: 60 });
    expect(bar).toMatchObject({ x: 0, plain: 40, retried: 10 });
  });

  test("a line breaks off where nothing was measured", () => {
    const path = pathOf([1, 2, null, 3], 4, { left: 0, right: 30, top: 0, bottom: 40 });
    expect(path).toBe("M0.0 30.0L10.0 20.0M30.0 10.0h5.0");
  });

  test("scales end at round numbers", () => {
    expect([0, 1, 3, 5, 42, 61, 100, 700].map(roundUp)).toEqual([1, 1, 3, 6, 60, 80, 100, 800]);
  });
});

test("spans and shares are said in the unit that fits", () => {
  expect([0.4, 31.2, 2_310, 90_000, 7_200_000, 172_800_000].map(span)).toEqual(["0.4 ms", "31 ms", "2.3 s", "2 min", "2 h", "2 d"]);
  expect([share(18_402, 18_501), share(3, 18_501), share(0, 5), share(1, 1_000_000), share(5, 5)]).toEqual([
    "99.5 %",
    "0.02 %",
    "0 %",
    "< 0.01 %",
    "100 %",
  ]);
});
