/** The hub's routes: signed, or with a token. Source: docs/protocol/events.md. */
import type { Clock } from "../clock.ts";
import { Code, HubError, refusal } from "./errors.ts";
import { type HubEvent, type Published, parse, readEvent, record } from "./events.ts";

/** How long one request may take. */
const REQUEST_MS_MAX = 15_000;

export interface ApiOptions {
  readonly url: string;
  readonly secret?: string | undefined;
  readonly source?: string | undefined;
  readonly token?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
}

export interface EventQuery {
  /** Types, `NAMESPACE:*`. All if absent. */
  readonly events?: readonly string[];
  readonly source?: string;
  /** Only what is older than this position. */
  readonly before?: number;
  /** 1 to 100; the hub gives 50 if it is absent. */
  readonly limit?: number;
}

interface Call {
  readonly method: "GET" | "POST";
  /** Path and query, as the hub sees them. */
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Api {
  readonly #options: ApiOptions;
  readonly #clock: Clock;
  readonly #base: string;
  #key: Promise<CryptoKey> | undefined;

  constructor(options: ApiOptions, clock: Clock) {
    const url = new URL(options.url);
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw new TypeError(`The url begins with ${url.protocol}, not http: or https:`);
    this.#base = `${url.origin}${url.pathname}`.replace(/\/+$/, "");
    this.#options = options;
    this.#clock = clock;
  }

  /** One try to publish. The id makes a second one harmless. */
  async publish(body: string, id: string): Promise<Published> {
    if (this.#options.secret === undefined) throw new TypeError("Publishing needs the source's `secret`.");
    const call = { method: "POST", path: "/events", body, headers: { "x-nexus-event-id": id } } as const;
    const answer = record(await this.#ask(call, await this.#signed(call)));
    if (answer?.id === undefined) throw new HubError(Code.unreachable, "The hub's answer to an event names no id.");
    return {
      id: String(answer.id),
      position: Number(answer.position),
      event: String(answer.event),
      duplicate: answer.status === "duplicate",
    };
  }

  /** The newest events first. */
  async events(query: EventQuery): Promise<HubEvent[]> {
    const search = new URLSearchParams();
    if (query.limit !== undefined) search.set("limit", String(query.limit));
    if (query.before !== undefined) search.set("before", String(query.before));
    if (query.source !== undefined) search.set("source", query.source);
    if (query.events?.length) search.set("event", query.events.join(","));
    const path = search.size > 0 ? `/events?${search}` : "/events";
    const answer = await this.#read({ method: "GET", path });
    return Array.isArray(answer) ? answer.flatMap((one) => readEvent(one) ?? []) : [];
  }

  /** The address of a stream, with a ticket that opens it once within half a minute. */
  async stream(): Promise<string> {
    const answer = record(await this.#read({ method: "POST", path: "/events/tickets", body: "{}" }));
    if (typeof answer?.ticket !== "string") throw new HubError(Code.unreachable, "The hub's answer holds no ticket.");
    return `${this.#base.replace(/^http/, "ws")}/events/stream?token=${encodeURIComponent(answer.ticket)}`;
  }

  /** For readers, a token counts as much as a signature. */
  async #read(call: Call): Promise<unknown> {
    const { token } = this.#options;
    return this.#ask(call, token === undefined ? await this.#signed(call) : { authorization: `Bearer ${token}` });
  }

  /** The body is signed as its very bytes; a request without one by its method, path and query. */
  async #signed({ method, path, body }: Call): Promise<Record<string, string>> {
    const timestamp = String(Math.floor(this.#clock.nowMs() / 1_000));
    this.#key ??= hmacKey(this.#options.secret ?? "");
    const text = new TextEncoder().encode(`${timestamp}.${body ?? `${method} ${path}`}`);
    const signature = new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key, text));
    const hex = Array.from(signature, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const { source } = this.#options;
    return { "x-nexus-timestamp": timestamp, "x-nexus-signature": hex, ...(source === undefined ? {} : { "x-nexus-source": source }) };
  }

  async #ask({ method, path, body, headers }: Call, proof: Readonly<Record<string, string>>): Promise<unknown> {
    const abort = new AbortController();
    const cancel = this.#clock.after(REQUEST_MS_MAX, () => abort.abort());
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const request: RequestInit = { method, headers: { ...type, ...headers, ...proof }, body: body ?? null, signal: abort.signal };
    try {
      const answer = await (this.#options.fetch ?? fetch)(`${this.#base}${path}`, request);
      const text = await answer.text();
      if (!answer.ok) throw refusal(answer.status, text, retryAfterMs(answer.headers.get("retry-after")));
      return parse(text);
    } catch (cause) {
      if (cause instanceof HubError) throw cause;
      throw new HubError(Code.unreachable, `No answer came from ${this.#base}${path.split("?")[0]}.`, { cause });
    } finally {
      cancel();
    }
  }
}

function hmacKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** The hub says seconds; a date is not understood. */
function retryAfterMs(header: string | null): number | undefined {
  const seconds = header === null ? Number.NaN : Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined;
}
