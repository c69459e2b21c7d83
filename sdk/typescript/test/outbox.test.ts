import { describe, expect, it } from "vitest";
import { Outbox } from "../src/outbox/outbox.ts";
import { ApiError, NetworkError } from "../src/rest/errors.ts";
import { echoesOf } from "../src/store/selectors.ts";
import { Store } from "../src/store/store.ts";
import type { Message } from "../src/wire.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { guild, message, user } from "./samples.ts";

type Answer = () => Promise<Message>;

function start(...answers: Answer[]) {
  const clock = new FakeClock();
  const store = new Store();
  store.dispatch({ type: "ready", user: user("7"), guildIds: ["1"], reads: [] });
  store.dispatch({ type: "guild_create", guild: guild() });
  store.dispatch({ type: "history_loaded", channelId: "10", page: { part: "latest", reachedStart: true }, messages: [] });
  store.dispatch({ type: "connection_changed", connection: { status: "live" } });
  const sent: { content: string; nonce: string }[] = [];
  let nonces = 0;
  const outbox = new Outbox({
    store,
    clock,
    newNonce: () => `n${++nonces}`,
    send: (_, draft) => {
      sent.push(draft);
      return (answers.shift() ?? silence)();
    },
  });
  const echoes = () => echoesOf(store.state(), "10").map((echo) => `${echo.content}:${echo.status}`);
  const rows = () => (store.state().windows.get("10")?.messages.length ?? 0) + echoes().length;
  const hear = (id: string, nonce: string) =>
    store.dispatch({ type: "message_create", message: message(id, "7", { nonce, content: nonce }), member: null });
  return { clock, store, outbox, sent, echoes, rows, hear };
}

const silence: Answer = () => Promise.reject(new NetworkError("down"));
const refusal =
  (status: number, retryAfterS: number | null = null): Answer =>
  () =>
    Promise.reject(new ApiError(status, { error: "why", message: "Why." }, retryAfterS));
const ok =
  (id: string, nonce: string): Answer =>
  () =>
    Promise.resolve(message(id, "7", { nonce }));

describe("the outbox", () => {
  it("shows a message at once", () => {
    const { outbox, echoes } = start(ok("30", "n1"));
    outbox.post("10", "hi");
    expect(echoes()).toEqual(["hi:waiting"]);
  });

  it("shows one row when the answer comes first", async () => {
    const { outbox, echoes, rows, hear } = start(ok("30", "n1"));
    outbox.post("10", "hi");
    await settle();
    expect([echoes(), rows()]).toEqual([["hi:sent"], 1]);
    hear("30", "n1");
    expect([echoes(), rows()]).toEqual([[], 1]);
  });

  it("shows one row when the event comes first", async () => {
    let answer: (message: Message) => void = () => {};
    const { outbox, echoes, rows, hear } = start(() => new Promise((resolve) => (answer = resolve)));
    outbox.post("10", "hi");
    await settle();
    hear("30", "n1");
    expect([echoes(), rows()]).toEqual([[], 1]);
    answer(message("30", "7", { nonce: "n1" }));
    await settle();
    expect([echoes(), rows()]).toEqual([[], 1]);
  });

  it("tries again under the same nonce when nothing answers", async () => {
    const { outbox, clock, sent, echoes } = start(silence, refusal(503), refusal(507), ok("30", "n1"));
    outbox.post("10", "hi");
    await clock.advance(20_000);
    expect(sent.map((draft) => draft.nonce)).toEqual(["n1", "n1", "n1", "n1"]);
    expect(echoes()).toEqual(["hi:sent"]);
  });

  it("waits as long as a 429 asks", async () => {
    const { outbox, clock, sent } = start(refusal(429, 7), ok("30", "n1"));
    outbox.post("10", "hi");
    await clock.advance(6_900);
    expect(sent).toHaveLength(1);
    await clock.advance(200);
    expect(sent).toHaveLength(2);
  });

  it("fails at once when refused, and the next message goes on", async () => {
    const { outbox, clock, echoes } = start(refusal(403), ok("31", "n2"));
    outbox.post("10", "first");
    outbox.post("10", "second");
    await clock.advance(1);
    expect(echoes()).toEqual(["first:failed", "second:sent"]);
  });

  it("keeps the order of a channel while the first is retried", async () => {
    const { outbox, clock, sent } = start(silence, silence, ok("30", "n1"), ok("31", "n2"));
    outbox.post("10", "first");
    outbox.post("10", "second");
    await clock.advance(20_000);
    expect(sent.map((draft) => draft.content)).toEqual(["first", "first", "first", "second"]);
  });

  it("gives up after five tries while connected, and retries by hand under the same nonce", async () => {
    const { outbox, clock, sent, echoes } = start(silence, silence, silence, silence, silence, ok("30", "n1"));
    const nonce = outbox.post("10", "hi");
    await clock.advance(120_000);
    expect(echoes()).toEqual(["hi:failed"]);
    outbox.retry(nonce);
    await settle();
    expect(echoes()).toEqual(["hi:sent"]);
    expect(new Set(sent.map((draft) => draft.nonce)).size).toBe(1);
  });

  it("waits as long as the gateway is away, and wakes with it", async () => {
    const { outbox, clock, store, sent, echoes } = start(silence, silence, silence, silence, silence, silence, silence, silence);
    store.dispatch({ type: "connection_changed", connection: { status: "waiting", retryAtMs: 0 } });
    outbox.post("10", "hi");
    await clock.advance(32_000);
    expect(echoes()).toEqual(["hi:waiting"]);
    const before = sent.length;
    outbox.wake();
    await settle();
    expect(sent.length).toBe(before + 1);
  });

  it("stops retrying when the event shows that it arrived", async () => {
    const { outbox, clock, sent, rows, hear } = start(silence);
    outbox.post("10", "hi");
    await settle();
    hear("30", "n1");
    await clock.advance(120_000);
    expect([sent.length, rows()]).toEqual([1, 1]);
  });

  it("drops a failed message on request only", async () => {
    const { outbox, echoes } = start(refusal(400));
    const nonce = outbox.post("10", "hi");
    outbox.discard(nonce);
    expect(echoes()).toEqual(["hi:waiting"]);
    await settle();
    outbox.discard(nonce);
    expect(echoes()).toEqual([]);
  });
});
