/** Starts the probes of all three languages, and reads what they say. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SECRET } from "./instance.ts";

export const LANGUAGES = ["typescript", "python", "rust"] as const;
export type Language = (typeof LANGUAGES)[number];

interface Seen {
  readonly position: number;
  readonly id: string;
  readonly payload: { readonly proposalId: string; readonly voterId: string };
}

/** A program that runs, and the lines that it has printed. */
export class Probe {
  readonly events: Seen[] = [];
  readonly gaps: number[] = [];
  readonly problems: { readonly problem: string; readonly message: string }[] = [];
  readonly published: { readonly published: number; readonly duplicate: boolean }[] = [];
  /** Its first position; `undefined` until it is ready. */
  ready: number | null | undefined;
  closed: number | null | undefined;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;

  constructor(language: Language, words: readonly string[], environment: NodeJS.ProcessEnv) {
    const [command, ...before] = program(language);
    this.#child = spawn(command, [...before, ...words], { env: { ...process.env, NEXUS_SECRET: SECRET, ...environment } });
    this.#child.stderr.pipe(process.stderr);
    this.#ended = once(this.#child, "close").then(([code]) => code as number | null);
    createInterface(this.#child.stdout).on("line", (line) => this.#take(JSON.parse(line)));
  }

  /** Ends its input, and waits until it leaves by itself. */
  async leave(): Promise<void> {
    this.#child.stdin.end();
    assert.equal(await this.#ended, 0);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Its exit code, when it has one. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  #take(line: Record<string, unknown>): void {
    if ("payload" in line) this.events.push(line as unknown as Seen);
    else if ("gap" in line) this.gaps.push(line.gap as number);
    else if ("problem" in line) this.problems.push(line as never);
    else if ("published" in line) this.published.push(line as never);
    else if ("ready" in line) this.ready = line.ready as number | null;
    else if ("closed" in line) this.closed = line.closed as number | null;
    else assert.fail(`a probe said ${JSON.stringify(line)}`);
  }
}

/** Calls `act` for each language at once. */
export function each<T>(act: (language: Language) => T | Promise<T>): Promise<T[]> {
  return Promise.all(LANGUAGES.map(act));
}

function program(language: Language): [string, ...string[]] {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  switch (language) {
    case "typescript":
      return node(here("probe.ts"));
    case "python":
      return python(here("probe.py"));
    case "rust":
      return [process.env.NEXUS_HUB_PROBE || assert.fail("NEXUS_HUB_PROBE is not set; `cargo xtask test` sets it")];
  }
}

/** A TypeScript program by this very Node. */
export function node(path: string): [string, ...string[]] {
  const strip = fileURLToPath(new URL("../../scripts/strip-types.mjs", import.meta.url));
  return [process.execPath, "--import", strip, "--conditions=nexus-source", path];
}

/** A Python program that finds the client in `sdk/python`. */
export function python(path: string): [string, ...string[]] {
  const source = fileURLToPath(new URL("../python/src", import.meta.url));
  const start =
    "import runpy, sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1), run_name='__main__')";
  return [process.env.NEXUS_PYTHON || "python3", "-c", start, source, path];
}
