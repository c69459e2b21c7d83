/** Times as words and figures. A full date is always there for `title` and `datetime`. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const DAY_MS = 24 * 60 * 60_000;

export const clockTime = (atMs: number): string => clock.format(atMs);
export const fullTime = (atMs: number): string => full.format(atMs);
export const plainDate = (atMs: number): string => date.format(atMs);
export const plainMoment = (atMs: number): string => moment.format(atMs);

/** The name of a day, given its start. */
export function dayName(startMs: number, nowMs: number, words: { readonly today: string; readonly yesterday: string }): string {
  const now = new Date(nowMs);
  const todayMs = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (startMs === todayMs) return words.today;
  // Rounded, for days with a change of clocks are not 24 hours long.
  if (Math.round((todayMs - startMs) / DAY_MS) === 1) return words.yesterday;
  return day.format(startMs);
}
