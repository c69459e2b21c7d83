import { apply } from "@nexus/sdk/store/apply";
import { emptyState } from "@nexus/sdk/store/state";
import { describe, expect, it } from "vitest";
import { isOwnPath } from "../src/app/lastPlace.ts";
import { inviteCodeOf } from "../src/features/invites/inviteLinks.ts";
import { checkCredentials } from "../src/features/logins/credentials.ts";
import { entriesOf } from "../src/features/switcher/entries.ts";
import { matchOf } from "../src/features/switcher/rank.ts";
import { neighbourOf } from "../src/features/switcher/Shortcuts.tsx";
import { initialsOf, personColour } from "../src/ui/art.ts";

const user = { id: "7", username: "mika", global_name: null, avatar: null, bot: false };
const channel = (id: string, name: string, guildId: string, position: number, last: string | null = null) => ({
  id,
  type: 0,
  guild_id: guildId,
  name,
  topic: null,
  position,
  last_message_id: last,
  permission_overwrites: [],
});
const guild = (id: string, name: string, channels: ReturnType<typeof channel>[]) => ({
  id,
  name,
  icon: null,
  owner_id: "7",
  roles: [],
  members: [],
  channels,
});

const state = [
  { type: "ready", user, guildIds: ["1", "2"], reads: [] } as const,
  {
    type: "guild_create",
    guild: guild("1", "North Shore", [channel("10", "general", "1", 0), channel("11", "announcements", "1", 1, "99")]),
  } as const,
  { type: "guild_create", guild: guild("2", "Kiln", [channel("20", "north-kiln", "2", 0, "98")]) } as const,
].reduce(apply, emptyState);

describe("the quick switcher", () => {
  it("ranks a start before a word before anything else", () => {
    const scores = ["north", "far-north", "bignorth"].map((name) => matchOf(name, "north")?.score ?? 0);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(matchOf("south", "north")).toBeNull();
  });

  it("offers channels and communities, or one kind", () => {
    const names = (input: string) => entriesOf(state, input).map((entry) => entry.name);
    expect(names("no")).toEqual(["north-kiln", "announcements", "North Shore"]);
    expect(names("#no")).toEqual(["north-kiln", "announcements"]);
    expect(names("*no")).toEqual(["North Shore"]);
  });
});

describe("Alt and arrows", () => {
  it("go round the channels of the community", () => {
    expect(neighbourOf(state, "1", "10", 1, false)?.id).toBe("11");
    expect(neighbourOf(state, "1", "11", 1, false)?.id).toBe("10");
    expect(neighbourOf(state, "1", "10", -1, false)?.id).toBe("11");
  });

  it("with Shift go round what is unread everywhere", () => {
    expect(neighbourOf(state, "1", "10", 1, true)?.id).toBe("11");
    expect(neighbourOf(state, "1", "11", 1, true)?.id).toBe("20");
    expect(neighbourOf(state, "2", "20", 1, true)?.id).toBe("11");
  });
});

describe("what people type", () => {
  it("is an invite as a link or a code", () => {
    expect(inviteCodeOf(" https://chat.example.org/invite/aB3_x-9?x=1 ")).toBe("aB3_x-9");
    expect(inviteCodeOf("aB3_x-9")).toBe("aB3_x-9");
    expect(inviteCodeOf("not a code")).toBeNull();
  });

  it("is checked strictly for a new account only", () => {
    expect(checkCredentials({ username: "mika", password: "correct horse" }, "new")).toEqual({});
    expect(Object.keys(checkCredentials({ username: "a b", password: "short" }, "new"))).toEqual(["username", "password"]);
    expect(checkCredentials({ username: "a b", password: "short" }, "known")).toEqual({});
  });

  it("never sends somebody to another site after logging in", () => {
    expect(["/channels/1", "//evil.example", "/\\evil.example", "https://evil.example", undefined].map(isOwnPath)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it("gives a community its letters", () => {
    expect(["Saltmarsh Lab", "kiln", "  ", "Ünited old sea dogs"].map(initialsOf)).toEqual(["SL", "K", "", "ÜO"]);
  });
});

describe("pictures", () => {
  it("spread neighbouring ids over all colours", () => {
    const colours = Array.from({ length: 400 }, (_, index) =>
      personColour(String(1_573_283_031_311_974_400n + BigInt(index) * 4_194_304n)),
    );
    const counts = [...new Set(colours)].map((colour) => colours.filter((other) => other === colour).length);
    expect(counts).toHaveLength(8);
    expect(Math.max(...counts)).toBeLessThan(80);
  });
});
