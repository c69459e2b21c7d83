/** What became of an event, as one mark and a few words. */
import i18next from "i18next";
import { reactorName, span, wait } from "./formats.ts";
import type { Job, Listed } from "./shapes.ts";
import { FRESH_MS } from "./tail.ts";

export type Tone = "ok" | "wait" | "dead" | "none" | "unknown";

export interface Outcome {
  readonly tone: Tone;
  readonly words: string;
}

/** What is due for longer waits for something else than its time. */
const LATE_MS = 3_000;

const UNKNOWN: Outcome = { tone: "unknown", words: "" };

export function outcomeOf(event: Listed, now: number): Outcome {
  const { t } = i18next;
  const { jobs } = event;
  if (jobs === undefined) return UNKNOWN;
  if (jobs.length === 0) return now - event.timestamp < FRESH_MS ? UNKNOWN : { tone: "none", words: t("hub.outcome.none") };
  if (jobs.some((job) => job.state === "dead")) return { tone: "dead", words: t("hub.outcome.dead") };
  const open = jobs.filter((job) => job.state === "waiting" || job.state === "running");
  const worst = open.toSorted((one, other) => other.tries - one.tries)[0];
  if (worst) return waiting(worst, now);
  const done = jobs.filter((job) => job.state === "done");
  const [only] = done;
  if (!only) return { tone: "none", words: t("hub.outcome.discarded") };
  if (done.length > 1) {
    const took = Math.max(...done.map((job) => (job.ended ?? job.created) - event.timestamp));
    return { tone: "ok", words: t("hub.outcome.several", { n: done.length, took: span(took) }) };
  }
  return {
    tone: "ok",
    words:
      only.took_ms === null
        ? reactorName(only.reactor)
        : t("hub.outcome.one", { reactor: reactorName(only.reactor), took: span(only.took_ms) }),
  };
}

function waiting(job: Job, now: number): Outcome {
  const { t } = i18next;
  if (job.tries === 0) return { tone: "unknown", words: t(job.state === "running" ? "hub.outcome.running" : "hub.outcome.waiting") };
  // `tries` counts those that were made: the next is one more.
  const n = job.tries + 1;
  // Its reactor is paused, rests, or has much to do.
  if (job.state === "waiting" && job.due !== null && job.due < now - LATE_MS)
    return { tone: "wait", words: t("hub.outcome.tryLate", { n }) };
  if (job.state === "running" || job.due === null || job.due <= now) return { tone: "wait", words: t("hub.outcome.tryNow", { n }) };
  return { tone: "wait", words: t("hub.outcome.tryIn", { n, time: wait(job.due - now) }) };
}

/** Counts the words of this outcome down? */
export const isCounting = (event: Listed): boolean => event.jobs?.some((job) => job.state === "waiting" && job.tries > 0) ?? false;
