/**
 * Where the parts of the tree stand in the picture: pure. Only what is looked at is drawn: the way from the root down to one part, folded
 * where it is long, and three levels of that part. So a log of a million entries is drawn with at most two dozen marks.
 */
import type { Range } from "./messages.ts";

/** Levels of the part that is looked at, below it. */
const DEPTH = 3;
export const WIDTH = 680;
export const HEIGHT = 366;
const MARGIN = 44;
const BOTTOM = 318;
const ROOT_Y = 34;
/** Between a part on the way down and its sibling. */
const ASIDE = 210;

export interface Spot {
  readonly range: Range;
  readonly x: number;
  readonly y: number;
  /** At the bottom, or a leaf: its label stands below. */
  readonly end: boolean;
  readonly parent: Range | null;
  /** Levels between it and the part drawn above it, which are folded. */
  readonly folded: number;
  readonly place: "root" | "way" | "aside" | "inside";
}

/** The largest power of two below. */
function split(count: number): number {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return half;
}

export function children([start, count]: Range): readonly [Range, Range] | null {
  if (count < 2) return null;
  const left = split(count);
  return [
    [start, left],
    [start + left, count - left],
  ];
}

export function same(a: Range, b: Range): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

export function holds([start, count]: Range, [first, of]: Range): boolean {
  return start <= first && first + of <= start + count;
}

/** From the root down to a part, both included. A part that is none of the tree's leads to the smallest that holds it. */
export function wayTo(size: number, part: Range): Range[] {
  const way: Range[] = [[0, size]];
  for (;;) {
    const at = way.at(-1) as Range;
    if (same(at, part)) return way;
    const next = children(at)?.find((child) => holds(child, part));
    if (!next) return way;
    way.push(next);
  }
}

/** The part to look at so that an entry stands at its bottom. */
export function around(size: number, index: number): Range {
  const way = wayTo(size, [index, 1]);
  return way[Math.max(0, way.length - 1 - DEPTH)] ?? [0, size];
}

/** The parts whose hashes prove an entry, nearest first. */
export function proofParts(size: number, index: number): Range[] {
  const way = wayTo(size, [index, 1]);
  return way
    .slice(0, -1)
    .map((part) => children(part)?.find((child) => !holds(child, [index, 1])) as Range)
    .reverse();
}

interface Inner {
  readonly range: Range;
  readonly depth: number;
  readonly below: readonly Inner[];
}

function unfold(range: Range, depth: number): Inner {
  const parts = depth < DEPTH ? children(range) : null;
  return { range, depth, below: parts ? parts.map((part) => unfold(part, depth + 1)) : [] };
}

function ends(node: Inner): Inner[] {
  return node.below.length === 0 ? [node] : node.below.flatMap(ends);
}

export function layOut(size: number, focus: Range): Spot[] {
  const way = wayTo(size, focus);
  const at = way.at(-1) as Range;
  const above = way.length - 1;
  const spots: Spot[] = [];
  // Rows: the root, the part below it, the part that is looked at, and its levels.
  const focusY = above === 0 ? ROOT_Y : above === 1 ? 104 : 150;
  const inner = unfold(at, 0);
  const bottom = ends(inner);
  const deepest = Math.max(...bottom.map(({ depth }) => depth));
  const step = bottom.length > 1 ? Math.min(150, (WIDTH - 2 * MARGIN) / (bottom.length - 1)) : 0;
  const first = WIDTH / 2 - (step * (bottom.length - 1)) / 2;
  const rowY = (depth: number) => (deepest === 0 ? focusY : focusY + ((BOTTOM - focusY) / deepest) * depth);
  const place = (node: Inner, parent: Range | null): number => {
    const below = node.below.map((child) => place(child, node.range));
    const end = node.below.length === 0;
    const x = end ? first + step * bottom.indexOf(node) : below.reduce((sum, one) => sum + one, 0) / below.length;
    // An entry that was carried up stands with the others at the bottom.
    const leaf = node.range[1] === 1;
    spots.push({
      range: node.range,
      x,
      y: node.depth === 0 ? focusY : leaf ? BOTTOM : rowY(node.depth),
      end: end && node.depth > 0,
      parent,
      folded: 0,
      place: node.depth === 0 ? (above === 0 ? "root" : "way") : "inside",
    });
    return x;
  };
  const fold = above > 2 ? above - 2 : 0;
  let x = place(inner, above === 0 ? null : above > 2 ? (way[1] as Range) : (way[above - 1] as Range));
  const mine = spots.findIndex((spot) => same(spot.range, at));
  if (fold > 0) spots[mine] = { ...(spots[mine] as Spot), folded: fold };
  // Upward from there; of a folded way only its first part is left, straight above.
  const kept = fold > 0 ? [1] : above === 2 ? [2, 1] : above === 1 ? [1] : [];
  for (const level of kept) {
    const part = way[level] as Range;
    const parent = way[level - 1] as Range;
    const y = level === above ? focusY : 92;
    if (!same(part, at)) spots.push({ range: part, x, y, end: false, parent, folded: 0, place: "way" });
    const sibling = children(parent)?.find((child) => !same(child, part)) as Range;
    const side = sibling[0] < part[0] ? -1 : 1;
    const asideX = Math.min(WIDTH - 70, Math.max(70, x + side * ASIDE));
    spots.push({ range: sibling, x: asideX, y, end: true, parent, folded: 0, place: "aside" });
    x = (x + asideX) / 2;
  }
  if (above > 0) spots.push({ range: [0, size], x, y: ROOT_Y, end: false, parent: null, folded: 0, place: "root" });
  return spots;
}
