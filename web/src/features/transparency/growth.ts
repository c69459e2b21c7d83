/** The log's growth as series for the charts: pure. */
import type { Hour } from "./server.ts";

export const HOUR_S = 3_600;

export interface Point {
  /** When the hour began, in seconds. */
  readonly start: number;
  readonly registrations: number;
  /** Entries at its end. */
  readonly entries: number;
}

/** Every hour of the period up to now, with those that had no registration. `size` is how many entries there are now. */
export function hourly(hours: readonly Hour[], period: number, size: number, nowS: number): Point[] {
  const last = nowS - (nowS % HOUR_S);
  const by = new Map(hours.map(({ start, registrations }) => [start - (start % HOUR_S), registrations]));
  const points: Point[] = [];
  let entries = size;
  for (let start = last; start > last - period * HOUR_S; start -= HOUR_S) {
    const registrations = by.get(start) ?? 0;
    points.push({ start, registrations, entries });
    entries -= registrations;
  }
  return points.reverse();
}

/** A round number at or above: 1, 2, 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5, 10] as const).find((step) => step * power >= value) ?? 10) * power;
}
