/** The hub's routes, with whoever's token. Nothing is retried here but a token that has just run out. */
import { ApiError, type ErrorBody, NetworkError } from "@nexus/sdk/rest/errors";
import { parseExact } from "./exactJson.ts";
import type {
  DeadLetter,
  Delivery,
  DryRun,
  Job,
  Life,
  Listed,
  Reactor,
  Source,
  Stats,
  Subscriber,
  TypeInfo,
  Webhook,
  WithSecret,
} from "./shapes.ts";

const TIMEOUT_MS = 15_000;
/** So many dead letters and deliveries are asked for at once. */
export const JOBS_PAGE = 50;
/** So many minutes the charts show. */
export const MINUTES = 60;

/** Whoever asks: a person who is signed in, or the holder of an admin token. */
export interface Credentials {
  /** `refused` names a token that was just turned away. */
  token(refused?: string): Promise<string>;
}

/** Which part of the past to give, newest first. */
export interface PageQuery {
  readonly limit: number;
  readonly before?: number;
  /** A type, or `NAMESPACE:*`. */
  readonly event?: string;
  readonly source?: string;
}

export interface WebhookDraft {
  readonly url: string;
  readonly events: readonly string[];
  readonly description: string;
}

export interface SourceDraft {
  readonly name: string;
  readonly events: readonly string[];
  readonly reads: boolean;
  readonly demands_timestamp: boolean;
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export class HubServer {
  readonly #credentials: Credentials;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  page = (query: PageQuery): Promise<readonly Listed[]> => this.#ask("GET", `/events${queryString({ ...query, lives: true })}`);
  life = (id: string): Promise<Life> => this.#ask("GET", `/events/${encodeURIComponent(id)}`);
  types = (): Promise<readonly TypeInfo[]> => this.#ask("GET", "/events/types");
  stats = (): Promise<Stats> => this.#ask("GET", `/events/stats?minutes=${MINUTES}`);
  streams = (): Promise<readonly Subscriber[]> => this.#ask("GET", "/events/streams");
  ticket = async (): Promise<string> => (await this.#ask<{ readonly ticket: string }>("POST", "/events/tickets", {})).ticket;
  runAgain = (id: string, reactor: string): Promise<Job> => this.#ask("POST", `/events/${encodeURIComponent(id)}/run`, { reactor });

  deadLetters = (before?: string): Promise<readonly DeadLetter[]> =>
    this.#ask("GET", `/events/dead-letters${queryString({ limit: JOBS_PAGE, before })}`);
  replay = (job: string): Promise<Job> => this.#ask("POST", `/events/dead-letters/${encodeURIComponent(job)}/replay`);
  discard = (job: string): Promise<void> => this.#ask("DELETE", `/events/dead-letters/${encodeURIComponent(job)}`);

  reactors = (): Promise<readonly Reactor[]> => this.#ask("GET", "/events/reactors");
  setPaused = (name: string, paused: boolean): Promise<void> =>
    this.#ask("POST", `/events/reactors/${encodeURIComponent(name)}/${paused ? "pause" : "resume"}`);
  dryRun = (rule: { readonly name: string } | { readonly rule: string }, limit: number): Promise<DryRun> =>
    this.#ask("POST", "/events/reactors/dry-run", { ...rule, limit });

  sources = (): Promise<readonly Source[]> => this.#ask("GET", "/events/sources");
  addSource = (draft: SourceDraft): Promise<WithSecret<Source>> => this.#ask("POST", "/events/sources", draft);
  rotateSource = (name: string): Promise<WithSecret<Source>> => this.#ask("POST", `/events/sources/${encodeURIComponent(name)}/rotate`);
  removeSource = (name: string): Promise<void> => this.#ask("DELETE", `/events/sources/${encodeURIComponent(name)}`);

  webhooks = (): Promise<readonly Webhook[]> => this.#ask("GET", "/events/webhooks");
  addWebhook = (draft: WebhookDraft): Promise<WithSecret<Webhook>> => this.#ask("POST", "/events/webhooks", draft);
  editWebhook = (id: string, change: Partial<WebhookDraft> & { readonly state?: "on" | "off" }): Promise<Webhook> =>
    this.#ask("PATCH", `/events/webhooks/${encodeURIComponent(id)}`, change);
  removeWebhook = (id: string): Promise<void> => this.#ask("DELETE", `/events/webhooks/${encodeURIComponent(id)}`);
  rotateWebhook = (id: string): Promise<WithSecret<Webhook>> => this.#ask("POST", `/events/webhooks/${encodeURIComponent(id)}/rotate`);
  testWebhook = (id: string): Promise<Job> => this.#ask("POST", `/events/webhooks/${encodeURIComponent(id)}/test`);
  deliveries = (id: string, before?: string): Promise<readonly Delivery[]> =>
    this.#ask("GET", `/events/webhooks/${encodeURIComponent(id)}/deliveries${queryString({ limit: JOBS_PAGE, before })}`);
  redeliver = (id: string, job: string): Promise<Job> =>
    this.#ask("POST", `/events/webhooks/${encodeURIComponent(id)}/deliveries/${encodeURIComponent(job)}/replay`);

  /** @throws ApiError, NetworkError, LoggedOutError */
  async #ask<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const token = await this.#credentials.token();
    let response = await send(method, path, token, body);
    if (response.status === 401) response = await send(method, path, await this.#credentials.token(token), body);
    if (!response.ok) throw await refusal(response);
    const text = response.status === 204 ? "" : await response.text();
    return (text === "" ? undefined : parseExact(text)) as T;
  }
}

async function send(method: Method, path: string, token: string, body: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", authorization: `Bearer ${token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) init.body = JSON.stringify(body);
  try {
    return await fetch(path, init);
  } catch (cause) {
    throw new NetworkError(cause);
  }
}

async function refusal(response: Response): Promise<ApiError> {
  let body: ErrorBody = {};
  try {
    body = (await response.json()) as ErrorBody;
  } catch {
    // A proxy's page: the status is all there is.
  }
  const after = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ApiError(response.status, body, Number.isFinite(after) ? after : null);
}

function queryString(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
