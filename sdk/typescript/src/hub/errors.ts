/** What goes wrong between a program and the event hub, sorted by what one can do about it. */
import type { HubEvent } from "./events.ts";

/** Words of our own, beside those of the hub (`invalid_signature`, `missing_permission`, `invalid_payload`, `event_conflict` …). */
export const Code = {
  /** No answer came, or only 5xx and 429. It is tried again. */
  unreachable: "unreachable",
  /** A type that the hub does not know. */
  invalidType: "invalid_event_type",
  /** The callback threw. The same event is given to it again. */
  callback: "callback_failed",
  /** The client was closed while it worked. */
  closed: "closed",
} as const;

export interface HubErrorDetails {
  readonly status?: number | undefined;
  readonly field?: string | undefined;
  readonly retryInMs?: number | undefined;
  readonly event?: HubEvent | undefined;
  readonly tries?: number | undefined;
  readonly cause?: unknown;
}

/** One fault. `message` is a sentence for whoever operates the program. */
export class HubError extends Error {
  /** The hub's word for it, or one of `Code`. */
  readonly code: string;
  /** The HTTP status, if the hub answered. */
  readonly status: number | undefined;
  /** The field of the payload that is wrong, such as `payload.amount`. */
  readonly field: string | undefined;
  /** When it is tried again; absent if it is not. */
  readonly retryInMs: number | undefined;
  /** The event whose callback threw, and how often it did by now. */
  readonly event: HubEvent | undefined;
  readonly tries: number | undefined;

  constructor(code: string, message: string, details: HubErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "HubError";
    this.code = code;
    this.status = details.status;
    this.field = details.field;
    this.retryInMs = details.retryInMs;
    this.event = details.event;
    this.tries = details.tries;
  }

  /** Whether the same request may succeed soon. */
  get isTemporary(): boolean {
    return this.code === Code.unreachable;
  }
}

/** An answer that is no success, as a fault. */
export function refusal(status: number, text: string, retryAfterMs: number | undefined): HubError {
  const { error, message, field } = words(text);
  const details = { status, field, retryInMs: retryAfterMs };
  if (status === 429 || status >= 500) {
    return new HubError(Code.unreachable, `The hub answered ${status}${message ? `: ${message}` : "."}`, details);
  }
  if (error === "Invalid event type") return new HubError(Code.invalidType, "The hub does not know this type of event.", details);
  return new HubError(error ?? "refused", message ?? `The hub answered ${status}.`, details);
}

function words(text: string): { error?: string; message?: string; field?: string } {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null) return {};
    return Object.fromEntries(Object.entries(body).filter(([, value]) => typeof value === "string"));
  } catch {
    return {};
  }
}
