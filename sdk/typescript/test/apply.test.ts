import { describe, expect, it } from "vitest";
import { apply } from "../src/store/apply.ts";
import type { StoreEvent } from "../src/store/events.ts";
import { channelsOf, isGuildUnread, isReady, isUnread, lacksHistory, peopleOf } from "../src/store/selectors.ts";
import { snapshotOf } from "../src/store/snapshot.ts";
import { emptyState, type State } from "../src/store/state.ts";
import type { Channel } from "../src/wire.ts";
import { channel, guild, member, message, user } from "./samples.ts";

function play(...events: StoreEvent[]): State {
  return events.reduce(apply, emptyState);
}

const ready: StoreEvent = { type: "ready", user: user("7"), guildIds: ["1"], reads: [] };
const started: readonly StoreEvent[] = [ready, { type: "guild_create", guild: guild() }];
const heard = (id: string, author = "8"): StoreEvent => ({ type: "message_create", message: message(id, author), member: null });
const latest = (ids: readonly string[], reachedStart = true): StoreEvent => ({
  type: "history_loaded",
  channelId: "10",
  page: { part: "latest", reachedStart },
  messages: ids.map((id) => message(id)),
});
const shown = (state: State) => state.windows.get("10")?.messages.map((one) => one.id);

describe("apply", () => {
  it("changes nothing when an event is heard twice", () => {
    const events: StoreEvent[] = [
      { type: "guild_update", guild: { ...guild(), name: "Other" } },
      { type: "guild_member_add", guildId: "1", member: member("9"), memberCount: 3, large: null },
      { type: "guild_member_remove", guildId: "1", user: user("8"), memberCount: 1, large: null },
      { type: "channel_create", channel: channel("11") },
      { type: "channel_update", channel: { ...channel("10"), name: "renamed" } },
      { type: "channel_delete", id: "10" },
      heard("30"),
      heard("30", "7"),
      { type: "message_ack", channelId: "10", messageId: "30" },
      { type: "guild_delete", id: "1" },
    ];
    for (const event of events) {
      const once = play(...started, latest(["20"]), event);
      expect(apply(once, event), event.type).toEqual(once);
    }
  });

  it("knows when every guild was described", () => {
    expect(isReady(play(ready))).toBe(false);
    expect(isReady(play(...started))).toBe(true);
    expect(isReady(play(ready, { type: "guild_delete", id: "1" }))).toBe(true);
  });

  it("keeps lists the same object while their parts do not change", () => {
    const state = play(...started);
    const typed = apply(state, { type: "typing_start", channelId: "10", guildId: "1", userId: "8", startedAtMs: 0, member: null });
    expect(channelsOf(typed, "1")).toBe(channelsOf(state, "1"));
    expect(peopleOf(apply(typed, heard("30")), "1")).toBe(peopleOf(state, "1"));
  });

  it("drops everything of a guild that is gone", () => {
    const state = play(...started, latest(["20"]), { type: "guild_delete", id: "1" });
    expect([state.guilds.size, state.channels.size, state.members.size, state.windows.size]).toEqual([0, 0, 0, 0]);
  });

  it("takes the member count from the event and never counts", () => {
    const joined: StoreEvent = { type: "guild_member_add", guildId: "1", member: member("9"), memberCount: 40, large: null };
    expect(play(...started, joined).guilds.get("1")?.member_count).toBe(40);
  });
});

describe("large guilds", () => {
  const joined = (id: string, memberCount: number, large: boolean): StoreEvent => ({
    type: "guild_member_add",
    guildId: "1",
    member: member(id),
    memberCount,
    large,
  });
  const left = (id: string, memberCount: number, large: boolean): StoreEvent => ({
    type: "guild_member_remove",
    guildId: "1",
    user: user(id),
    memberCount,
    large,
  });
  const ids = (state: State) => peopleOf(state, "1").map((person) => person.user.id);
  const fresh = (over: object) => play(ready, { type: "guild_create", guild: guild(over) });

  it("keep the viewer alone, as a new READY would", () => {
    const state = play(...started, joined("9", 251, true));
    expect(snapshotOf(state)).toEqual(snapshotOf(fresh({ large: true, member_count: 251, members: [member("7")] })));
    expect(apply(state, joined("9", 251, true))).toEqual(state);
  });

  it("have their list fetched when they are no longer large, and hear who comes and goes meanwhile", () => {
    const large: StoreEvent[] = [ready, { type: "guild_create", guild: guild({ large: true, member_count: 251, members: [member("7")] }) }];
    const small = play(...large, left("9", 250, false), joined("11", 251, true), left("12", 250, false), left("8", 249, false));
    expect([...small.partial.keys()]).toEqual(["1"]);
    const list = [member("7"), member("8"), member("9"), member("10"), member("12")];
    const loaded = apply(small, { type: "members_loaded", guildId: "1", members: list });
    expect(ids(loaded)).toEqual(["10", "11", "7"]);
    expect(loaded.partial.size).toBe(0);
    const members = [member("7"), member("10"), member("11")];
    expect(snapshotOf(loaded)).toEqual(snapshotOf(fresh({ large: false, member_count: 249, members })));
  });

  it("take no list when they have become large again, or were described anew", () => {
    const list: StoreEvent = { type: "members_loaded", guildId: "1", members: [member("7"), member("8")] };
    const again = play(...started, joined("9", 251, true), left("9", 250, false), joined("9", 251, true), list);
    expect(ids(again)).toEqual(["7"]);
    const anew = play(...started, joined("9", 251, true), left("9", 250, false), { type: "guild_create", guild: guild() });
    expect(apply(anew, list)).toBe(anew);
  });
});

describe("unread", () => {
  it("does not come back with an acknowledgement that was late", () => {
    const state = play(...started, heard("30"), heard("31"), { type: "read_marked", channelId: "10", messageId: "31" });
    const late = apply(state, { type: "message_ack", channelId: "10", messageId: "30" });
    expect(late).toBe(state);
    expect(isUnread(late, "10")).toBe(false);
  });

  it("follows from the read mark and the newest message", () => {
    const state = play(
      { ...ready, reads: [{ id: "10", last_message_id: "20" }] },
      { type: "guild_create", guild: guild({ channels: [channel("10", "20")] }) },
    );
    expect(isUnread(state, "10")).toBe(false);
    const later = apply(state, heard("21"));
    expect([isUnread(later, "10"), isGuildUnread(later, "1")]).toEqual([true, true]);
    expect(isUnread(apply(later, { type: "message_ack", channelId: "10", messageId: "21" }), "10")).toBe(false);
  });

  it("is not raised by one's own message", () => {
    expect(isUnread(play(...started, heard("30", "7")), "10")).toBe(false);
  });

  it("takes what was there before joining as read", () => {
    const joined = Date.parse("2026-11-20T09:00:00Z");
    const before = (((BigInt(joined) - 1_420_070_400_000n - 1_000n) << 22n) | 5n).toString();
    const after = ((BigInt(joined) - 1_420_070_400_000n + 1_000n) << 22n).toString();
    const withLast = (id: string) => play(ready, { type: "guild_create", guild: guild({ channels: [channel("10", id)] }) });
    expect(isUnread(withLast(before), "10")).toBe(false);
    expect(isUnread(withLast(after), "10")).toBe(true);
  });
});

describe("message windows", () => {
  it("append live messages in order of id, each once", () => {
    expect(shown(play(...started, latest(["20"]), heard("22"), heard("21"), heard("22")))).toEqual(["20", "21", "22"]);
  });

  it("do not append while they do not reach the present", () => {
    const state = play(
      ...started,
      latest(["20"]),
      ready,
      { type: "guild_create", guild: guild({ channels: [channel("10", "25")] }) },
      heard("26"),
    );
    expect(shown(state)).toEqual(["20"]);
    expect(state.windows.get("10")).toMatchObject({ stale: true, hasMoreAfter: true });
    expect(state.channels.get("10")?.last_message_id).toBe("26");
  });

  it("stay behind if a page misses the newest message, and catch up with the next", () => {
    const behind = play(...started, heard("30"), latest(["20"]));
    expect(behind.windows.get("10")).toMatchObject({ stale: true, hasMoreAfter: true });
    const page: StoreEvent = {
      type: "history_loaded",
      channelId: "10",
      page: { part: "after", reachedEnd: true },
      messages: [message("30")],
    };
    expect(apply(behind, page).windows.get("10")).toMatchObject({ stale: false, hasMoreAfter: false });
  });

  it("join older pages before what is held", () => {
    const older: StoreEvent = {
      type: "history_loaded",
      channelId: "10",
      page: { part: "before", reachedStart: true },
      messages: [message("9"), message("20")],
    };
    const state = play(...started, latest(["20", "21"], false), older);
    expect(shown(state)).toEqual(["9", "20", "21"]);
    expect(state.windows.get("10")?.hasMoreBefore).toBe(false);
  });
});

describe("windows of who may not read history", () => {
  const everyone = { id: "1", type: 0 as const, allow: "0", deny: "65536" };
  const closed = { ...channel("10", "25"), permission_overwrites: [everyone] };
  const asGuest = (one: Channel): StoreEvent[] => [ready, { type: "guild_create", guild: guild({ owner_id: "8", channels: [one] }) }];

  it("are empty, not behind, and take what is heard, also one's own", () => {
    const state = play(...asGuest(closed), latest([]));
    expect(state.windows.get("10")).toMatchObject({ stale: false, hasMoreAfter: false, withoutHistory: true });
    expect(shown(play(...asGuest(closed), latest([]), heard("26"), heard("27", "7")))).toEqual(["26", "27"]);
    expect(lacksHistory(state, "10")).toBe(false);
  });

  it("are loaded again once it is allowed", () => {
    const state = play(...asGuest(closed), latest([]), { type: "channel_update", channel: channel("10", "25") });
    expect(lacksHistory(state, "10")).toBe(true);
    expect(lacksHistory(apply(state, latest(["25"])), "10")).toBe(false);
  });
});

describe("typing", () => {
  const typing: StoreEvent = { type: "typing_start", channelId: "10", guildId: "1", userId: "8", startedAtMs: 1_000, member: member("8") };

  it("ends by itself, or with the message", () => {
    const state = play(...started, typing);
    expect(state.typing.get("10")?.has("8")).toBe(true);
    expect(apply(state, { type: "typing_expired", nowMs: 10_999 }).typing.get("10")?.has("8")).toBe(true);
    expect(apply(state, { type: "typing_expired", nowMs: 11_000 }).typing.size).toBe(0);
    expect(apply(state, heard("30")).typing.get("10")?.has("8")).toBe(false);
  });

  it("ignores our own", () => {
    expect(play(...started, { ...typing, userId: "7" }).typing.size).toBe(0);
  });
});
