/** A real instance for tests: the binary named by NEXUS_BIN on a fresh data directory, which survives `kill -9` and is started again. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const START_MS_MAX = 20_000;
const RUNNING = /Your server is running at http:\/\/[^:\s]+:(\d+)/;

export interface InstanceOptions {
  /** What it serves; everything without it. */
  readonly roles?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Files that are in its data directory before the first start, by their paths there. */
  readonly files?: Readonly<Record<string, string>>;
}

export class Instance {
  readonly #data: string;
  readonly #options: InstanceOptions;
  #child: ChildProcess | null = null;
  port = 0;
  /** Everything it printed, for failing tests. */
  output = "";

  private constructor(data: string, options: InstanceOptions) {
    this.#data = data;
    this.#options = options;
  }

  static async start(options: InstanceOptions = {}): Promise<Instance> {
    const instance = await Instance.prepare(options);
    await instance.resume();
    return instance;
  }

  /** One with its files that was not started yet. */
  static async prepare(options: InstanceOptions = {}): Promise<Instance> {
    const data = await mkdtemp(path.join(tmpdir(), "nexus-e2e-"));
    for (const [name, text] of Object.entries(options.files ?? {})) {
      const file = path.join(data, "data", name);
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      await writeFile(file, text);
    }
    return new Instance(data, options);
  }

  /** Runs a command of the binary on its data, while it is stopped. Gives the last line that it prints. */
  async command(...words: readonly string[]): Promise<string> {
    const printed = await new Promise<string>((resolve, reject) => {
      const environment = { ...process.env, ...this.#options.environment };
      const all = [...words, "--data", path.join(this.#data, "data")];
      execFile(binary(), all, { env: environment }, (failure, out, err) =>
        failure ? reject(new Error(`${failure.message}\n${err}`)) : resolve(out),
      );
    });
    return printed.trim().split("\n").at(-1) ?? "";
  }

  get origin(): string {
    return `http://localhost:${this.port}`;
  }

  /** The token of the setup link that the first start printed. */
  get setupToken(): string {
    return /\/setup#(\S+)/.exec(this.output)?.[1] ?? "";
  }

  /** Starts the process again, on the same data and port. Without rate limits: one voice speaks for two hundred. */
  async resume(): Promise<void> {
    const { roles, environment } = this.#options;
    const words = ["serve", "--data", path.join(this.#data, "data"), "--listen", `127.0.0.1:${this.port}`, "--no-rate-limits"];
    const child = spawn(binary(), roles ? [...words, "--roles", roles] : words, { env: { ...process.env, ...environment } });
    this.#child = child;
    this.port = await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`The instance did not start:\n${this.output}`)), START_MS_MAX);
      let heard = "";
      const hear = (chunk: Buffer) => {
        heard += chunk;
        this.output += chunk;
        const port = RUNNING.exec(heard)?.[1];
        if (!port) return;
        clearTimeout(timer);
        resolve(Number(port));
      };
      child.stdout?.on("data", hear);
      child.stderr?.on("data", hear);
      child.once("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`The instance ended with ${code}:\n${this.output}`));
      });
    });
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
  }
}

function binary(): string {
  const named = process.env.NEXUS_BIN;
  if (!named) throw new Error("Set NEXUS_BIN to the nexus binary to test.");
  return named;
}
