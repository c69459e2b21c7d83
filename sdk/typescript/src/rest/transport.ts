/**
 * One HTTP exchange: encodes, sends, decodes, and sorts failures into `errors.ts`.
 * It deliberately retries nothing but a short 429: what may be repeated is known by the caller only.
 */
import { type Clock, sleep, systemClock } from "../clock.ts";
import { ApiError, type ErrorBody, NetworkError } from "./errors.ts";

/** Longest `Retry-After`, in seconds, that is waited out silently, and how often. */
const SILENT_WAIT_S_MAX = 3;
const SILENT_WAITS_MAX = 2;
/** After this a silent instance counts as gone. */
const REQUEST_TIMEOUT_MS = 15_000;

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

export interface TransportOptions {
  /** Scheme, host and port, or nothing for the page's own origin. */
  readonly origin?: string;
  /** A browser: refresh tokens travel as a cookie, and `X-Nexus-Client: web` is sent. */
  readonly web?: boolean;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

export interface Exchange {
  readonly method: Method;
  /** From the root, as `/api/v1/gateway`. */
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string | null;
  readonly signal?: AbortSignal;
}

export class Transport {
  readonly origin: string;
  readonly #web: boolean;
  readonly #fetch: typeof fetch;
  readonly #clock: Clock;

  constructor(options: TransportOptions = {}) {
    this.origin = options.origin ?? "";
    this.#web = options.web ?? false;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Sends and gives the decoded body; `undefined` for 204.
   * @throws ApiError, NetworkError
   */
  async send<T>(exchange: Exchange): Promise<T> {
    for (let waits = 0; ; waits++) {
      const response = await this.#once(exchange);
      if (response.ok) return (await decode(response)) as T;
      const failure = await refusal(response);
      const waitS = failure.retryAfterS;
      if (failure.status !== 429 || waitS === null || waitS > SILENT_WAIT_S_MAX || waits >= SILENT_WAITS_MAX) throw failure;
      await sleep(this.#clock, waitS * 1000);
    }
  }

  async #once(exchange: Exchange): Promise<Response> {
    const headers: Record<string, string> = {};
    if (exchange.body !== undefined) headers["Content-Type"] = "application/json";
    if (exchange.token) headers.Authorization = `Bearer ${exchange.token}`;
    if (this.#web) headers["X-Nexus-Client"] = "web";
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const init: RequestInit = {
      method: exchange.method,
      headers,
      credentials: this.#web ? "same-origin" : "omit",
      signal: exchange.signal ? AbortSignal.any([exchange.signal, timeout]) : timeout,
    };
    if (exchange.body !== undefined) init.body = JSON.stringify(exchange.body);
    try {
      return await this.#fetch(`${this.origin}${exchange.path}`, init);
    } catch (cause) {
      if (exchange.signal?.aborted) throw cause;
      throw new NetworkError(cause);
    }
  }
}

async function decode(response: Response): Promise<unknown> {
  if (response.status === 204) return undefined;
  try {
    const text = await response.text();
    return text === "" ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new NetworkError(cause);
  }
}

async function refusal(response: Response): Promise<ApiError> {
  let body: ErrorBody = {};
  try {
    body = (await response.json()) as ErrorBody;
  } catch {
    // A proxy's page, or a cut answer: the status is all there is.
  }
  const header = response.headers.get("Retry-After");
  const retryAfterS = header === null ? null : Number(header);
  return new ApiError(response.status, body, retryAfterS !== null && Number.isFinite(retryAfterS) ? retryAfterS : null);
}
