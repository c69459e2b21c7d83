/** A real instance for tests: the binary named by NEXUS_BIN on a fresh data directory, which survives `kill -9` and is started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const START_MS_MAX = 20_000;
const RUNNING = /Your server is running at http:\/\/[^:\s]+:(\d+)/;

export class Instance {
  readonly #data: string;
  #child: ChildProcess | null = null;
  port = 0;
  /** Everything it printed, for failing tests. */
  output = "";

  private constructor(data: string) {
    this.#data = data;
  }

  static async start(): Promise<Instance> {
    const instance = new Instance(await mkdtemp(path.join(tmpdir(), "nexus-e2e-")));
    await instance.resume();
    return instance;
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
    const binary = process.env.NEXUS_BIN;
    if (!binary) throw new Error("Set NEXUS_BIN to the nexus binary to test.");
    const child = spawn(binary, [
      "serve",
      "--data",
      path.join(this.#data, "data"),
      "--listen",
      `127.0.0.1:${this.port}`,
      "--no-rate-limits",
    ]);
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
