/** An event's life as the steps of a spine: pure. */
import i18next from "i18next";
import { clockTime, number, reactorName, span, wait } from "./formats.ts";
import type { Attempt, Life, Reactor, TriedJob } from "./shapes.ts";

export interface Step {
  readonly key: string;
  readonly tone: "ok" | "wait" | "dead" | "none" | "clock";
  readonly title: string;
  readonly note: string | null;
  /** When, in milliseconds, and how it is written at the end of the line. */
  readonly at: number | null;
  readonly time: string;
  /** Between this step and the next somebody waits. */
  readonly waits: boolean;
  /** It leads to the event that this one was made of. */
  readonly cause: boolean;
  readonly attempt: Attempt | null;
}

const STEP: Step = { key: "", tone: "ok", title: "", note: null, at: null, time: "", waits: false, cause: false, attempt: null };

/** `reactors` say why a job waits whose time has come. */
export function stepsOf(life: Life, now: number, reactors: readonly Reactor[] = []): Step[] {
  const { t } = i18next;
  const steps: Step[] = [received(life)];
  steps.push({
    ...STEP,
    key: "committed",
    title: t("hub.life.committed"),
    note: t("hub.life.committedNote", { position: number(life.position) }),
    at: life.timestamp,
    time: clockTime(life.timestamp),
  });
  if (life.jobs.length === 0)
    steps.push({ ...STEP, key: "none", tone: "none", title: t("hub.outcome.none"), note: t("hub.life.noReactorNote") });
  for (const job of life.jobs) {
    const reactor = reactors.find((candidate) => candidate.name === job.reactor);
    steps.push(...stepsOfJob(job, now, reactor));
  }
  return steps;
}

function received(life: Life): Step {
  const { t } = i18next;
  const maker = life.source.startsWith("reactor/") ? life.source.slice("reactor/".length) : null;
  if (maker)
    return {
      ...STEP,
      key: "received",
      title: t("hub.life.made", { maker }),
      note: life.cause ? null : t("hub.life.madeNote"),
      cause: life.cause !== null,
    };
  if (life.source === "nexus") return { ...STEP, key: "received", title: t("hub.life.platform"), note: t("hub.life.platformNote") };
  return {
    ...STEP,
    key: "received",
    title: t("hub.life.received", { source: life.source }),
    note: life.external_id === null ? t("hub.life.signed") : t("hub.life.signedId", { id: life.external_id }),
  };
}

function stepsOfJob(job: TriedJob, now: number, reactor: Reactor | undefined): Step[] {
  const { t } = i18next;
  const steps = job.attempts.map((attempt, at) => stepOf(job, attempt, at === job.attempts.length - 1));
  const n = job.attempts.length + 1;
  switch (job.state) {
    case "running":
      steps.push({ ...STEP, key: `${job.id} now`, tone: "clock", title: titled(job, n), note: t("hub.life.running") });
      break;
    case "waiting":
      steps.push({
        ...STEP,
        key: `${job.id} next`,
        tone: "clock",
        title: titled(job, n),
        note: waitNote(job, now, reactor),
        at: job.due,
      });
      break;
    case "dead":
      steps.push({
        ...STEP,
        key: `${job.id} dead`,
        tone: "dead",
        title: t("hub.life.deadLetter", { reactor: reactorName(job.reactor) }),
        note: job.reason,
        at: job.ended,
        time: job.ended === null ? "" : clockTime(job.ended).slice(0, 8),
      });
      break;
    case "discarded":
      steps.push({
        ...STEP,
        key: `${job.id} gone`,
        tone: "none",
        title: t("hub.life.discarded", { reactor: reactorName(job.reactor) }),
        note: job.reason,
        at: job.ended,
      });
      break;
    case "done":
      // A job that needed no attempt of its own, as one whose key was done before.
      if (steps.length === 0)
        steps.push({
          ...STEP,
          key: `${job.id} done`,
          title: reactorName(job.reactor),
          note: job.reason,
          at: job.ended,
          time: job.took_ms === null ? "" : span(job.took_ms),
        });
      break;
  }
  return steps;
}

function waitNote(job: TriedJob, now: number, reactor: Reactor | undefined): string {
  const { t } = i18next;
  if (reactor?.state === "paused") return t("hub.life.waitingPaused");
  if (reactor?.state === "resting" && reactor.rest_until !== null && reactor.rest_until > (job.due ?? 0)) {
    return t("hub.life.waitingRest", { time: clockTime(reactor.rest_until).slice(0, 8) });
  }
  if (job.due === null || job.due <= now) return t("hub.life.waitingTurn");
  return t("hub.life.waitingUntil", { time: clockTime(job.due).slice(0, 8), wait: wait(job.due - now) });
}

function stepOf(job: TriedJob, attempt: Attempt, isLast: boolean): Step {
  const isGood = attempt.outcome === "delivered";
  return {
    ...STEP,
    key: `${job.id} ${attempt.number}`,
    tone: isGood ? "ok" : attempt.outcome === "refused" || (isLast && job.state === "dead") ? "dead" : "wait",
    title: job.attempts.length > 1 || !isGood ? titled(job, attempt.number) : reactorName(job.reactor),
    note: noteOf(attempt),
    at: attempt.began,
    time: span(attempt.took_ms),
    waits: !isGood && !(isLast && job.state === "dead"),
    attempt,
  };
}

const titled = (job: TriedJob, n: number): string =>
  n === 1 ? reactorName(job.reactor) : i18next.t("hub.life.try", { reactor: reactorName(job.reactor), n });

function noteOf(attempt: Attempt): string {
  const { t } = i18next;
  const at = clockTime(attempt.began);
  if (attempt.outcome === "delivered") return attempt.status === null ? at : t("hub.life.answered", { at, status: attempt.status });
  if (attempt.error) return t("hub.life.error", { at, error: attempt.error });
  return attempt.status === null ? at : t("hub.life.answered", { at, status: attempt.status });
}
