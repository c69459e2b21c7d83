/** Shapes of the event hub's wire, and how what comes over it is read. */

/** What happened, as the hub recorded it. */
export interface HubEvent {
  /** Names it for ever; the key under which to remember that it was dealt with. */
  readonly id: string;
  /** Its place in the hub's log. It grows; it has holes. */
  readonly position: number;
  /** `NAMESPACE:NAME`, such as `FLOWPAY:PAYMENT_RECEIVED`. */
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** What became of a published event. */
export interface Published {
  readonly id: string;
  readonly position: number;
  readonly event: string;
  /** The hub had it already; nothing happens a second time. */
  readonly duplicate: boolean;
}

/** Some of what was asked for is gone, or the hub does not know the position: it was restored from a backup. */
export interface Gap {
  /** What was asked for. */
  readonly since: number;
  /** Where the hub stands. */
  readonly position: number;
}

/** What the hub says on a stream. */
export type Frame =
  | { readonly type: "event"; readonly event: HubEvent }
  | { readonly type: "subscribed"; readonly position: number; readonly gap: boolean; readonly unknown: readonly string[] }
  | { readonly type: "caught_up"; readonly position: number }
  | { readonly type: "error"; readonly code: string; readonly message: string }
  | { readonly type: "other" };

/** A text frame of the stream. What is not understood is `other`, so that a newer hub can say more. */
export function readFrame(text: string): Frame {
  const body = record(parse(text));
  if (!body) return { type: "other" };
  const position = typeof body.position === "number" ? body.position : undefined;
  if (body.status === undefined) {
    const event = readEvent(body);
    return event ? { type: "event", event } : { type: "other" };
  }
  if (body.status === "error") return { type: "error", code: String(body.error), message: String(body.message ?? body.error) };
  if (position === undefined) return { type: "other" };
  if (body.status === "subscribed") return { type: "subscribed", position, gap: body.gap === true, unknown: strings(body.invalidEvents) };
  return body.status === "caught_up" ? { type: "caught_up", position } : { type: "other" };
}

/** An event from its JSON; undefined if it is none. */
export function readEvent(value: unknown): HubEvent | undefined {
  const body = record(value);
  if (!body || typeof body.position !== "number" || typeof body.event !== "string") return undefined;
  return {
    id: String(body.id),
    position: body.position,
    event: body.event,
    payload: record(body.payload) ?? {},
    source: String(body.source ?? ""),
    timestamp: Number(body.timestamp),
  };
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
