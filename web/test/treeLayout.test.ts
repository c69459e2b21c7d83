import { describe, expect, it } from "vitest";
import type { Range } from "../src/features/transparency/messages.ts";
import { around, children, HEIGHT, holds, layOut, proofParts, WIDTH, wayTo } from "../src/features/transparency/treeLayout.ts";

const SIZES = [1, 2, 3, 5, 8, 9, 13, 1_000, 48_217, 100_000, 1_000_000];

describe("the picture of the tree", () => {
  it("splits as the contract does: an odd last part is carried up", () => {
    expect(children([0, 1])).toBeNull();
    expect(children([0, 9])).toEqual([
      [0, 8],
      [8, 1],
    ]);
    expect(wayTo(13, [12, 1])).toEqual([
      [0, 13],
      [8, 5],
      [12, 1],
    ]);
    expect(proofParts(13, 12)).toEqual([
      [8, 4],
      [0, 8],
    ]);
  });

  it.each(SIZES)("shows an entry of %i, its way to the root, and few marks", (size) => {
    for (const index of new Set([0, Math.floor(size / 3), size - 1])) {
      const spots = layOut(size, around(size, index));
      expect(spots.length).toBeLessThanOrEqual(24);
      expect(spots.filter(({ range }) => range[0] === index && range[1] === 1)).toHaveLength(1);
      expect(spots.filter(({ range }) => range[0] === 0 && range[1] === size)).toHaveLength(1);
      const keys = spots.map(({ range }) => range.join("-"));
      expect(new Set(keys).size).toBe(keys.length);
      for (const spot of spots) {
        expect(spot.x).toBeGreaterThanOrEqual(40);
        expect(spot.x).toBeLessThanOrEqual(WIDTH - 40);
        expect(spot.y).toBeLessThanOrEqual(HEIGHT - 40);
        // Everything but the root hangs on something that is drawn above it and holds it.
        const parent = spots.find(({ range }) => spot.parent && range.join() === spot.parent.join());
        if (spot.range[1] === size && spot.range[0] === 0) expect(spot.parent).toBeNull();
        else expect(parent && parent.y < spot.y && holds(parent.range, spot.range)).toBe(true);
      }
    }
  });

  it("can be walked from the root to every level", () => {
    const size = 100_000;
    let focus: Range = [0, size];
    for (let steps = 0; steps < 40; steps++) {
      const inner = layOut(size, focus).filter((spot) => spot.place === "inside" && spot.range[1] > 1);
      const deepest = inner.at(-1);
      if (!deepest) break;
      focus = deepest.range;
    }
    expect(focus[1]).toBe(2);
  });
});
