import { describe, expect, it } from "vitest";
import { decode } from "../src/store/decode.ts";
import { guild, member, message, user } from "./samples.ts";

describe("decode", () => {
  it("takes the size of a guild where an instance tells it", () => {
    const gone = { guild_id: "1", user: user("9") };
    expect(decode("GUILD_MEMBER_REMOVE", gone)).toMatchObject({ memberCount: null, large: null });
    expect(decode("GUILD_MEMBER_REMOVE", { ...gone, member_count: 250, large: false })).toMatchObject({ memberCount: 250, large: false });
    const come = { ...member("9"), guild_id: "1", member_count: 251, large: true };
    expect(decode("GUILD_MEMBER_ADD", come)).toMatchObject({ memberCount: 251, large: true });
  });

  it("drops events it does not know and bodies of the wrong shape", () => {
    const bad: readonly (readonly [string, unknown])[] = [
      ["PRESENCE_UPDATE", { user: { id: "1" } }],
      ["MESSAGE_CREATE", null],
      ["MESSAGE_CREATE", []],
      ["MESSAGE_CREATE", { ...message("1"), author: {} }],
      ["MESSAGE_CREATE", { ...message("1"), id: 1 }],
      ["GUILD_CREATE", { id: "1" }],
      ["GUILD_CREATE", { ...guild(), members: [{}] }],
      ["GUILD_DELETE", { id: "1", unavailable: true }],
      ["TYPING_START", { channel_id: "1", user_id: "2" }],
      ["READY", { user: { id: "1" } }],
    ];
    for (const [name, body] of bad) expect(decode(name, body), name).toBeNull();
  });

  it("keeps what it knows", () => {
    expect(decode("MESSAGE_CREATE", { ...message("1"), member: { roles: [], joined_at: "x" } })).toMatchObject({ type: "message_create" });
    expect(decode("GUILD_MEMBER_ADD", { ...member("8"), guild_id: "1", member_count: 3 })).toMatchObject({ memberCount: 3 });
    expect(decode("GUILD_MEMBER_REMOVE", { user: member("8").user, guild_id: "1" })).toMatchObject({ memberCount: null });
    expect(decode("RESUMED", {})).toEqual({ type: "resumed" });
  });
});
