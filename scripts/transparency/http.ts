/** GET and POST with a deadline on everything: a server that hangs, drips or floods ends in `unreachable`, never in waiting for ever. */
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "./faults.ts";

/** Pages hold at most 1,000 entries of less than a kilobyte. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;
const REQUEST_MS_MAX = 15_000;
const RETRY_DEFAULT_MS = 1_000;

/** The time by which everything must have happened. */
export class Deadline {
  readonly #endMs: number;
  readonly totalMs: number;

  constructor(totalMs: number) {
    this.totalMs = totalMs;
    this.#endMs = performance.now() + totalMs;
  }

  /** What is left, never less than a millisecond, never more than `atMostMs`. */
  leftMs(atMostMs = Number.POSITIVE_INFINITY): number {
    return Math.max(1, Math.min(atMostMs, Math.ceil(this.#endMs - performance.now())));
  }

  isOver(): boolean {
    return performance.now() >= this.#endMs;
  }
}

/** An answer: its status and its JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** One server. It waits and asks again where the server asks for that (429). */
export class Http {
  readonly base: URL;
  readonly deadline: Deadline;

  constructor(base: URL, deadline: Deadline) {
    this.base = base;
    this.deadline = deadline;
  }

  /** The address of a route; a path of the base's own stays in front. */
  url(path: string): URL {
    return new URL(`${this.base.pathname.replace(/\/+$/, "")}${path}`, this.base);
  }

  /** The JSON of a route that must answer 200. */
  async json(path: string): Promise<unknown> {
    const { status, body } = await this.request("GET", path);
    if (status !== 200) throw new Fault("unreadable", `GET ${path} answered ${status} ${JSON.stringify(body).slice(0, 200)}`);
    return body;
  }

  async request(method: "GET" | "POST", path: string, sent?: unknown): Promise<Answer> {
    for (;;) {
      const { answer, retryMs } = await this.#once(method, path, sent);
      if (retryMs === null) return answer;
      if (this.deadline.leftMs() <= retryMs)
        throw new Fault("unreachable", `${method} ${path}: the server asks to wait beyond the deadline`);
      await sleep(retryMs);
    }
  }

  async #once(method: string, path: string, sent: unknown): Promise<{ answer: Answer; retryMs: number | null }> {
    const waitMs = this.deadline.leftMs(REQUEST_MS_MAX);
    const init = sent === undefined ? {} : { body: JSON.stringify(sent), headers: { "content-type": "application/json" } };
    try {
      const response = await fetch(this.url(path), { ...init, method, redirect: "error", signal: AbortSignal.timeout(waitMs) });
      const text = await limited(response);
      if (response.status === 429) return { answer: { status: 429, body: null }, retryMs: retryAfterMs(response) };
      if (response.status >= 500) throw new Fault("unreachable", `${method} ${path} answered ${response.status} ${text.slice(0, 200)}`);
      return { answer: { status: response.status, body: parsed(`${method} ${path}`, text) }, retryMs: null };
    } catch (why) {
      if (why instanceof Fault) throw why;
      throw new Fault("unreachable", `${method} ${path}: ${reason(why, waitMs)}`);
    }
  }
}

async function limited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Fault("unreadable", `an answer has more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("unreadable", `${what} answered no JSON, but ${JSON.stringify(text.slice(0, 80))}`);
  }
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : RETRY_DEFAULT_MS;
}

function reason(why: unknown, waitMs: number): string {
  if (!(why instanceof Error)) return String(why);
  if (why.name === "TimeoutError" || why.name === "AbortError") return `no answer within ${(waitMs / 1_000).toFixed(1)} s`;
  return why.cause instanceof Error ? why.cause.message || String(Reflect.get(why.cause, "code")) : why.message;
}
