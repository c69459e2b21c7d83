/** What the charts draw, worked out: pure. */
import type { Minute } from "./shapes.ts";

export const MINUTE_MS = 60_000;

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** One for each of the `count` minutes up to `end`: the server leaves out those in which nothing happened. */
export function densely<T extends { readonly start: number }>(
  known: readonly T[],
  end: number,
  count: number,
  empty: (start: number) => T,
): T[] {
  const last = end - (end % MINUTE_MS);
  const by = new Map(known.map((one) => [one.start - (one.start % MINUTE_MS), one]));
  return Array.from({ length: count }, (_, at) => {
    const start = last - (count - 1 - at) * MINUTE_MS;
    return by.get(start) ?? empty(start);
  });
}

/** A round number at or above, for a scale: 1, 2, 3, 4, 6 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 3, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

export interface Bar {
  readonly start: number;
  readonly x: number;
  readonly width: number;
  /** Heights: of the events, and on top of them of what was tried again. */
  readonly plain: number;
  readonly retried: number;
}

export function bars(minutes: readonly Minute[], top: number, box: Box): Bar[] {
  const step = (box.right - box.left) / Math.max(1, minutes.length);
  const scale = (box.bottom - box.top) / top;
  return minutes.map((minute, at) => ({
    start: minute.start,
    x: box.left + at * step,
    width: Math.max(1, step - 1.8),
    plain: minute.events * scale,
    retried: minute.retried * scale,
  }));
}

/** A line through the values; where one is missing it breaks off. A value between two gaps is a short dash. */
export function pathOf(values: readonly (number | null)[], top: number, box: Box): string {
  const step = (box.right - box.left) / Math.max(1, values.length - 1);
  let path = "";
  values.forEach((value, at) => {
    if (value === null) return;
    const x = box.left + at * step;
    const y = box.bottom - (Math.min(value, top) / top) * (box.bottom - box.top);
    const before = at > 0 ? values[at - 1] : null;
    const after = values[at + 1];
    path += `${before == null ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    if (before == null && after == null) path += `h${(step / 2).toFixed(1)}`;
  });
  return path;
}
