/** What the hub answers, as `docs/protocol/events.md` has it. */
import type { JsonObject } from "./exactJson.ts";

/** `GET /events`, and what the stream pushes. */
export interface HubEvent {
  readonly id: string;
  readonly position: number;
  readonly event: string;
  readonly payload: JsonObject;
  readonly source: string;
  /** When it was committed, in milliseconds. */
  readonly timestamp: number;
}

export type JobState = "waiting" | "running" | "done" | "dead" | "discarded";

/** One run of one reactor for one event. */
export interface Job {
  readonly id: string;
  readonly reactor: string;
  readonly event_id: string;
  readonly key: string;
  readonly state: JobState;
  readonly tries: number;
  /** When it is tried next, in milliseconds. */
  readonly due: number | null;
  readonly created: number;
  readonly ended: number | null;
  readonly took_ms: number | null;
  readonly reason: string | null;
}

export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Attempt {
  readonly number: number;
  readonly began: number;
  readonly took_ms: number;
  readonly outcome: "delivered" | "failed" | "refused";
  readonly status: number | null;
  readonly request: Sent | null;
  readonly answer: Answered | null;
  readonly error: string | null;
}

export interface TriedJob extends Job {
  readonly attempts: readonly Attempt[];
}

/** An event of a page with `lives=true`; one that was just pushed has no jobs yet. */
export interface Listed extends HubEvent {
  readonly jobs?: readonly Job[];
}

/** `GET /events/{id}`. */
export interface Life extends HubEvent {
  readonly cause: { readonly id: string; readonly event: string } | null;
  readonly hops: number;
  readonly external_id: string | null;
  readonly jobs: readonly TriedJob[];
}

export interface DeadLetter extends TriedJob {
  readonly event: HubEvent;
  /** A sentence: what to do. */
  readonly advice: string;
}

export interface Delivery extends TriedJob {
  readonly event: HubEvent;
}

export type ReactorState = "active" | "paused" | "idle" | "refused" | "resting" | "off";

export interface Reactor {
  readonly name: string;
  readonly kind: "rule" | "webhook";
  readonly description: string;
  readonly on: readonly string[];
  readonly state: ReactorState;
  readonly reason: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly waiting: number;
  readonly dead: number;
  /** Since when it rests, where the server says it, and until when. */
  readonly rest_since?: number | null;
  readonly rest_until: number | null;
  readonly last: { readonly state: "delivered" | "failed"; readonly at: number; readonly took_ms: number } | null;
}

export interface RuleFault {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  /** What to do. */
  readonly hint: string | null;
}

/** What a rule would make: an event or a message. */
export interface DryEffect {
  readonly effect: "emit" | "message";
  readonly event?: string;
  readonly payload?: JsonObject | null;
  readonly channel?: string;
  readonly text?: string;
  /** Only if the call succeeds. */
  readonly after_answer: boolean;
  /** Under which further condition. */
  readonly when?: string;
  /** What can't be said before. */
  readonly note?: string;
}

export interface DryLine {
  readonly event: HubEvent;
  readonly matches: boolean;
  readonly key: string | null;
  readonly call: Sent | null;
  readonly effects: readonly DryEffect[];
  readonly error: string | null;
}

export interface DryRun {
  readonly errors: readonly RuleFault[];
  /** Why the rule would get no event now. */
  readonly idle: string | null;
  readonly events: readonly DryLine[];
}

export interface Source {
  readonly name: string;
  readonly events: readonly string[];
  readonly reads: boolean;
  readonly demands_timestamp: boolean;
  readonly created: number;
  readonly rotated: number;
  readonly previous_until: number | null;
  readonly from_environment: boolean;
}

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly description: string;
  readonly state: "on" | "off" | "disabled";
  readonly reason: string | null;
  readonly failing_since: number | null;
  readonly created: number;
  readonly previous_until: number | null;
}

/** A secret is shown once: when it is made. */
export type WithSecret<T> = T & { readonly secret: string };

export interface TypeInfo {
  readonly event: string;
  readonly namespace: string;
  readonly bare: string;
  readonly schema: JsonObject | null;
  readonly custom: boolean;
  /** The platform alone tells it. */
  readonly platform: boolean;
}

export interface Subscriber {
  readonly who: string;
  readonly events: readonly string[];
  readonly since: number;
  readonly position: number;
}

export interface Minute {
  readonly start: number;
  readonly events: number;
  /** Attempts that failed and are made again. */
  readonly retried: number;
  readonly dead: number;
}

export interface Reaction {
  readonly start: number;
  readonly typical_ms: number;
  readonly slow_ms: number;
}

export interface Stats {
  readonly minutes: readonly Minute[];
  readonly reactions: readonly Reaction[];
  /** Since midnight, UTC. */
  readonly today: { readonly events: number; readonly delivered: number; readonly retried: number; readonly dead: number };
  readonly namespaces: readonly { readonly namespace: string; readonly events: number }[];
  readonly dead_letters: number;
  readonly streams: number;
  readonly reactors: number;
  readonly webhooks: number;
  readonly head: number;
}
