import { idAtMs } from "@nexus/sdk/ids";
import type { Echo } from "@nexus/sdk/store/state";
import type { Message } from "@nexus/sdk/wire";
import { describe, expect, it } from "vitest";
import { type RowsInput, rowsOf } from "../src/features/messages/rows.ts";

const noonMs = new Date(2026, 10, 20, 12).getTime();
const MINUTE_MS = 60_000;

function message(minute: number, author: string, over: Partial<Message> = {}): Message {
  return {
    id: idAtMs(noonMs + minute * MINUTE_MS),
    channel_id: "10",
    author: { id: author, username: author, global_name: null, avatar: null, bot: false },
    content: `at ${minute}`,
    timestamp: "",
    edited_timestamp: null,
    type: 0,
    ...over,
  };
}

function echo(over: Partial<Echo> = {}): Echo {
  return {
    nonce: "n1",
    channelId: "10",
    content: "mine",
    createdAtMs: noonMs,
    status: "waiting",
    message: null,
    reason: null,
    detail: null,
    ...over,
  };
}

function rows(input: Partial<RowsInput>) {
  return rowsOf({ messages: [], echoes: [], myId: "7", hasMoreBefore: false, newAfter: null, ...input });
}

describe("rows", () => {
  it("group one person's messages within seven minutes", () => {
    const messages = [message(0, "8"), message(6, "8"), message(13, "8"), message(14, "9")];
    expect(rows({ messages }).map((row) => row.first)).toEqual([true, false, true, true]);
  });

  it("begin a group at midnight and name the day", () => {
    const midnight = 12 * 60;
    const list = rows({ messages: [message(midnight - 1, "8"), message(midnight + 1, "8")] });
    expect(list.map((row) => [row.first, row.day !== null])).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  it("claim neither start nor day for the oldest message held while there are older ones", () => {
    const messages = [message(0, "8")];
    expect(rows({ messages, hasMoreBefore: true })[0]).toMatchObject({ isStart: false, day: null });
    expect(rows({ messages })[0]).toMatchObject({ isStart: true });
  });

  it("put the New mark once, at the first unread message of somebody else", () => {
    const messages = [message(0, "8"), message(1, "7"), message(2, "8"), message(3, "8")];
    const list = rows({ messages, newAfter: messages[0]?.id ?? null });
    expect(list.map((row) => row.isNew)).toEqual([false, false, true, false]);
    expect(list[2]?.first).toBe(true);
  });

  it("show echoes last, under a key that the message keeps", () => {
    const waiting = rows({ messages: [message(0, "8")], echoes: [echo()] });
    expect(waiting.map((row) => row.status)).toEqual(["shown", "waiting"]);
    const arrived = rows({ messages: [message(0, "8"), message(1, "7", { nonce: "n1" })] });
    expect(arrived[1]?.key).toBe(waiting[1]?.key);
  });

  it("never show an echo beside its own message", () => {
    const sent = message(1, "7", { nonce: "n1" });
    expect(rows({ messages: [sent], echoes: [echo({ status: "sent", message: sent })] })).toHaveLength(1);
  });
});
