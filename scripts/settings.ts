/** Numbers from `limits.env` beside this file; the environment overrides them. And how the scripts begin and end. */
import { readFileSync, realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Fault } from "./transparency/faults.ts";

/** What the scripts answer to the shell. */
export const Exit = { honest: 0, fault: 1, usage: 2, unreachable: 8 } as const;

/** What `limits.env` holds. */
export interface Limits {
  readonly maxWsPayloadBytes: number;
  readonly rateLimitRps: number;
  readonly smokeTimeoutMs: number;
}

/** The command line can't be understood. */
export class UsageError extends Error {}

/** Something other than the log is not as the contract says. */
export class CheckFailed extends Error {
  readonly check: string;

  constructor(check: string, what: string) {
    super(what);
    this.check = check;
  }
}

export function readLimits(environment: NodeJS.ProcessEnv = process.env): Limits {
  const lines = readFileSync(new URL("limits.env", import.meta.url), "utf8").split("\n");
  const file = new Map(
    lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const number = (name: string): number => {
    const text = environment[name] || file.get(name) || "";
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value <= 0)
      throw new UsageError(`${name} is ${JSON.stringify(text)}, not a number above 0`);
    return value;
  };
  return {
    maxWsPayloadBytes: number("MAX_WS_PAYLOAD_BYTES"),
    rateLimitRps: number("RATE_LIMIT_RPS"),
    smokeTimeoutMs: number("SMOKE_TIMEOUT_SEC") * 1_000,
  };
}

/** `--name value` and what stands alone. An option that is not known is refused, not ignored. */
export function readArguments(given: readonly string[], options: readonly string[]): { named: Map<string, string>; alone: string[] } {
  const named = new Map<string, string>();
  const alone: string[] = [];
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at] ?? "";
    if (!word.startsWith("--")) {
      alone.push(word);
      continue;
    }
    const value = given[at + 1];
    if (!options.includes(word)) throw new UsageError(`${word} is unknown here; known are ${options.join(", ") || "no options"}`);
    if (value === undefined) throw new UsageError(`${word} needs a value`);
    named.set(word, value);
    at += 1;
  }
  return { named, alone };
}

/** An address as `http://…`, or a `UsageError`. */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") throw new UsageError(`${text} is no http or https address`);
  return url;
}

/** Whether a module is the program and not a part of another. */
export function isProgram(moduleUrl: string): boolean {
  const started = process.argv[1];
  return started !== undefined && pathToFileURL(realpathSync(started)).href === moduleUrl;
}

/** Runs a program to its end and turns what went wrong into one line and an exit code. */
export async function runProgram(usage: string, main: (given: readonly string[]) => Promise<void>): Promise<void> {
  try {
    await main(process.argv.slice(2));
  } catch (why) {
    process.exitCode = explain(usage, why);
  }
  // A connection that a server keeps open must not keep us.
  setTimeout(() => process.exit(), 1_000).unref();
}

function explain(usage: string, why: unknown): number {
  if (why instanceof UsageError) {
    console.error(`${why.message}\n\n${usage}`);
    return Exit.usage;
  }
  if (why instanceof Fault) {
    console.log(`FAIL ${why.describe()}`);
    return why.code === "unreachable" ? Exit.unreachable : Exit.fault;
  }
  if (why instanceof CheckFailed) {
    console.log(`FAIL ${why.check}: ${why.message}`);
    return Exit.fault;
  }
  console.log(`FAIL ${why instanceof Error ? (why.stack ?? why.message) : why}`);
  return Exit.fault;
}
