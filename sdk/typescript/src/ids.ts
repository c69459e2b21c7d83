/** Snowflakes: 42 bits of milliseconds since 2015, ten of node, twelve of sequence, written as decimal strings. */
import type { Id } from "./wire.ts";

/** The first millisecond of 2015, Discord's epoch, which snowflakes count from. */
const EPOCH_MS = 1_420_070_400_000n;
const TIME_SHIFT_BITS = 22n;

/** Orders two ids by age, older first. Ids have no leading zeros, so length decides before the digits do. */
export function compareIds(a: Id, b: Id): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Whether `a` is younger than `b`; nothing is younger than a missing id but every id is. */
export function isNewer(a: Id | null | undefined, b: Id | null | undefined): boolean {
  if (!a) return false;
  if (!b) return true;
  return compareIds(a, b) > 0;
}

/** The younger of two ids. */
export function newestId(a: Id | null | undefined, b: Id | null | undefined): Id | null {
  if (isNewer(b, a)) return b ?? null;
  return a ?? null;
}

/** When an id was drawn, in milliseconds since 1970. */
export function idTimeMs(id: Id): number {
  return Number((BigInt(id) >> TIME_SHIFT_BITS) + EPOCH_MS);
}

/** The smallest id that could have been drawn at a time. */
export function idAtMs(atMs: number): Id {
  const sinceEpoch = BigInt(Math.floor(atMs)) - EPOCH_MS;
  return ((sinceEpoch > 0n ? sinceEpoch : 0n) << TIME_SHIFT_BITS).toString();
}
