/** The three ways a request can fail. */

/** The instance understood and refused. `code` is Discord's number, `name` ours in snake_case. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  readonly reason: string;
  readonly requestId: string | null;
  /** Seconds, from `Retry-After`. */
  readonly retryAfterS: number | null;

  constructor(status: number, body: ErrorBody, retryAfterS: number | null) {
    super(body.message ?? `The instance answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = body.code ?? 0;
    this.reason = body.error ?? "unknown";
    this.requestId = body.request_id ?? null;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed later: too many requests, no room, or a fault of the instance. */
  get isTemporary(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

/** No answer came: the network is down or the instance is. Whether it acted is unknown. */
export class NetworkError extends Error {
  constructor(cause: unknown) {
    super("The instance did not answer.", { cause });
    this.name = "NetworkError";
  }
}

/** There is no login any more; somebody must log in again. */
export class LoggedOutError extends Error {
  constructor() {
    super("You are logged out.");
    this.name = "LoggedOutError";
  }
}

/** The instance's error body. */
export interface ErrorBody {
  readonly code?: number;
  readonly message?: string;
  readonly error?: string;
  readonly request_id?: string;
}
