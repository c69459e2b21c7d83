import { describe, expect, it } from "vitest";
import { History } from "../src/history.ts";
import { compareIds } from "../src/ids.ts";
import type { HistoryQuery } from "../src/rest/rest.ts";
import { mayReadHistory } from "../src/store/selectors.ts";
import { Store } from "../src/store/store.ts";
import type { Message, Overwrite } from "../src/wire.ts";
import { channel, guild, message, user } from "./samples.ts";

/** An instance with one channel; `between` runs after a page was read and before it is answered. */
function start(count: number, overwrites: readonly Overwrite[] = []) {
  const stored: Message[] = [];
  const add = () => {
    const one = message(String(1_000 + stored.length));
    stored.push(one);
    return one;
  };
  for (let index = 0; index < count; index++) add();
  const store = new Store();
  const snapshot = () => {
    store.dispatch({ type: "ready", user: user("7"), guildIds: ["1"], reads: [] });
    const one = { ...channel("10", stored.at(-1)?.id ?? null), permission_overwrites: overwrites };
    store.dispatch({ type: "guild_create", guild: guild({ owner_id: "8", channels: [one] }) });
  };
  snapshot();
  const hear = (one: Message) => store.dispatch({ type: "message_create", message: one, member: null });
  const asked: HistoryQuery[] = [];
  let between = () => {};
  const history = new History(store, async (_, query) => {
    asked.push(query);
    const limit = query.limit ?? 50;
    const newestFirst = stored.toReversed();
    const { before, after } = query;
    const page = before
      ? newestFirst.filter((one) => compareIds(one.id, before) < 0).slice(0, limit)
      : after
        ? stored
            .filter((one) => compareIds(one.id, after) > 0)
            .slice(0, limit)
            .toReversed()
        : newestFirst.slice(0, limit);
    if (!mayReadHistory(store.state(), "10")) return [];
    const act = between;
    between = () => {};
    act();
    return page;
  });
  const window = () => store.state().windows.get("10");
  const held = () => window()?.messages.map((one) => one.id);
  const all = () => stored.map((one) => one.id);
  return { store, history, add, hear, snapshot, asked, window, held, all, onPage: (act: () => void) => (between = act) };
}

describe("history", () => {
  it("opens at the end and pages back to the start", async () => {
    const { history, window, held, all } = start(120);
    await history.open("10");
    expect(held()).toEqual(all().slice(-50));
    expect(window()).toMatchObject({ hasMoreBefore: true, hasMoreAfter: false, stale: false });
    await history.older("10");
    await history.older("10");
    expect(held()).toEqual(all());
    expect(window()?.hasMoreBefore).toBe(false);
  });

  it("misses nothing that arrives while a page is on its way", async () => {
    const { history, add, hear, held, all, onPage } = start(10);
    onPage(() => hear(add()));
    await history.open("10");
    expect(held()).toEqual(all());
    hear(add());
    expect(held()).toEqual(all());
  });

  it("closes the gap after the gateway lost its place", async () => {
    const { history, add, hear, snapshot, held, all, window } = start(10);
    await history.open("10");
    for (let index = 0; index < 230; index++) add();
    snapshot();
    expect(window()?.stale).toBe(true);
    hear(add());
    await history.open("10");
    expect(held()).toEqual(all());
    expect(window()).toMatchObject({ stale: false, hasMoreAfter: false });
    hear(add());
    expect(held()).toEqual(all());
  });

  it("says so when the gap is too long to close, and jumps to the present without a hole", async () => {
    const { history, add, snapshot, held, all, window } = start(10);
    await history.open("10");
    for (let index = 0; index < 1_500; index++) add();
    snapshot();
    await history.open("10");
    expect(window()?.hasMoreAfter).toBe(true);
    expect(held()).toEqual(all().slice(0, held()?.length));
    await history.present("10");
    expect(held()).toEqual(all().slice(-50));
    expect(window()?.hasMoreAfter).toBe(false);
  });

  it("has no hole when older messages are asked for while the window begins anew", async () => {
    const { history, add, snapshot, held, all } = start(120);
    await history.open("10");
    for (let index = 0; index < 200; index++) add();
    snapshot();
    await Promise.all([history.present("10"), history.older("10")]);
    expect(held()).toEqual(all().slice(-100));
  });

  it("has no hole when the window lets its start go while older messages are on their way", async () => {
    const { history, add, hear, held, all, onPage } = start(60);
    await history.open("10");
    onPage(() => {
      for (let index = 0; index < 2_000; index++) hear(add());
    });
    await history.older("10");
    expect(held()).toEqual(all().slice(-2_000));
  });

  it("shows who may not read it what is heard, and all of it once that is allowed", async () => {
    const denied = [{ id: "1", type: 0 as const, allow: "0", deny: "65536" }];
    const { store, history, add, hear, snapshot, held, all, window, asked } = start(5, denied);
    await history.open("10");
    hear(add());
    expect(held()).toEqual(all().slice(-1));
    add();
    snapshot();
    expect(window()?.stale).toBe(true);
    await history.open("10");
    hear(add());
    expect(held()).toEqual(all().slice(-1));
    expect(asked).toHaveLength(0);
    store.dispatch({ type: "channel_update", channel: channel("10", all().at(-1) ?? null) });
    await history.open("10");
    expect(held()).toEqual(all());
  });

  it("asks once when asked twice", async () => {
    const { history, asked } = start(120);
    await Promise.all([history.open("10"), history.open("10")]);
    expect(asked).toHaveLength(1);
    await Promise.all([history.older("10"), history.older("10")]);
    expect(asked).toHaveLength(2);
  });
});
