import { expect, it } from "vitest";
import { compareIds, idAtMs, idTimeMs, isNewer } from "../src/ids.ts";

it("orders ids by number, not by letters", () => {
  expect(["100", "9", "20"].sort(compareIds)).toEqual(["9", "20", "100"]);
});

it("takes a missing id as the oldest", () => {
  expect([isNewer("1", null), isNewer(null, "1"), isNewer(null, null), isNewer("2", "2")]).toEqual([true, false, false, false]);
});

it("reads Discord's example", () => {
  // Source: Discord's reference, "Snowflakes": 175928847299117063 is 2016-04-30 11:18:25.796 UTC.
  expect(idTimeMs("175928847299117063")).toBe(1_462_015_105_796);
  expect(idTimeMs(idAtMs(1_462_015_105_796))).toBe(1_462_015_105_796);
});
