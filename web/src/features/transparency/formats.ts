/** Numbers, times and hashes as the pages show them. */

const figures = new Intl.NumberFormat(undefined);
const coarse = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const number = (value: number): string => figures.format(value);
/** A number for words that depend on it: which of them, and how it is written. */
export const counted = (count: number) => ({ count, n: number(count) });
export const fullMoment = (atMs: number): string => moment.format(atMs);
export const plainDay = (atMs: number): string => day.format(atMs);
export const clockTime = (atMs: number): string => clock.format(atMs);

const STEPS: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** A span in its largest unit: `41 seconds`, `3 hours`. */
export function span(seconds: number): string {
  const [length, unit] = STEPS.find(([step]) => seconds >= step) ?? [1, "second"];
  return new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(
    Math.floor(seconds / length),
  );
}

/** A short time as it was measured: `2.4 seconds`. */
export function took(ms: number): string {
  const seconds = ms / 1_000;
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: "second",
    unitDisplay: "long",
    maximumFractionDigits: seconds < 10 ? 1 : 0,
  }).format(Math.max(0.1, seconds));
}

/** Bytes, to two figures: `5.7 MB`. */
export function size(bytes: number): string {
  if (bytes < 1_000_000) return `${coarse.format(Math.ceil(bytes / 1_000))} kB`;
  return `${coarse.format(bytes / 1_000_000)} MB`;
}

/** The first bytes of something in base64, in hexadecimal groups of four. */
export function stub(base64: string, groups = 2): string {
  let bytes: string;
  try {
    bytes = atob(base64);
  } catch {
    return base64.slice(0, groups * 4);
  }
  const hex = [...bytes.slice(0, groups * 2)].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return hex.match(/.{1,4}/g)?.join(" ") ?? "";
}
