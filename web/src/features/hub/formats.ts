/** Times and spans as the hub shows them. */
import i18next from "i18next";

const exact = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const figures = new Intl.NumberFormat(undefined);
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const number = (value: number): string => figures.format(value);
/** A number for words that depend on it: which of them, and how it is written. */
export const counted = (count: number) => ({ count, n: number(count) });
/** `14:03:11.482`: as wide for every event. */
export const clockTime = (ms: number): string => exact.format(ms);
/** `14:03`. */
export const minuteTime = (ms: number): string => minute.format(ms);
export const fullMoment = (ms: number): string => moment.format(ms);

/** `14:03` of today, else with the day before it. */
export function shortMoment(ms: number, now: number): string {
  const isToday = new Date(ms).toDateString() === new Date(now).toDateString();
  return isToday ? minute.format(ms) : `${day.format(ms)}, ${minute.format(ms)}`;
}

/** How long something took or will take, in the unit that fits: `31 ms`, `2.3 s`, `12 min`. */
export function span(ms: number): string {
  const { t } = i18next;
  if (ms < 1) return t("hub.span.ms", { n: oneDigit.format(Math.max(ms, 0)) });
  if (ms < 1_000) return t("hub.span.ms", { n: figures.format(Math.round(ms)) });
  if (ms < 60_000) return t("hub.span.s", { n: oneDigit.format(ms / 1_000) });
  if (ms < 3_600_000) return t("hub.span.min", { n: figures.format(Math.round(ms / 60_000)) });
  if (ms < 86_400_000) return t("hub.span.h", { n: oneDigit.format(ms / 3_600_000) });
  return t("hub.span.d", { n: oneDigit.format(ms / 86_400_000) });
}

/** The same in whole seconds below a minute: what counts down has no tenths. */
export const wait = (ms: number): string => span(Math.max(1_000, Math.ceil(ms / 1_000) * 1_000));

/** A rule by its name, a webhook by the end of its id. */
export function reactorName(name: string): string {
  const id = /^webhook\/(.*)$/.exec(name)?.[1];
  return id === undefined ? name : i18next.t("hub.webhookShort", { id: id.length > 7 ? `…${id.slice(-6)}` : id });
}

/** A share to two figures, `99.5 %`; what is too small for that is said so. */
export function share(part: number, all: number): string {
  if (all === 0 || part === 0) return "0 %";
  const percent = (part / all) * 100;
  if (percent < 0.01) return "< 0.01 %";
  if (part < all && percent > 99.99) return "> 99.99 %";
  return `${new Intl.NumberFormat(undefined, { maximumFractionDigits: percent < 0.1 ? 2 : 1 }).format(percent)} %`;
}
