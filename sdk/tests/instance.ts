/** A real instance in a folder of its own, at an address that it keeps over restarts. `NEXUS_BIN` is the server. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS_MAX = 30_000;
export const SECRET = "9d1f7b64c2a85e03f6b1c47d08e2a95d3c6f10b8";

export class Instance {
  readonly folder = mkdtempSync(join(tmpdir(), "nexus-hub-"));
  readonly url: string;
  readonly port: number;
  #child: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Instance> {
    const instance = new Instance(await freePort());
    await instance.start();
    return instance;
  }

  /** Starts it, and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn(nexus(), ["serve", "--data", join(this.folder, "data"), "--listen", `127.0.0.1:${this.port}`, "--no-rate-limits"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, NEXUS_SECRET: SECRET, NEXUS__LOG__LEVEL: "error" },
    });
    this.#child = child;
    for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; await sleep(20)) {
      assert.equal(child.exitCode, null, "the instance ended while it started");
      const answer = await fetch(`${this.url}/health`).catch(() => null);
      if (answer?.ok) return;
    }
    assert.fail("the instance did not start in time");
  }

  /** Ends it without a word, as a power cut does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Makes a bot, while the instance is stopped, and says its token. */
  async makeBot(name: string, guildId: string): Promise<string> {
    const child = spawn(nexus(), ["admin", "bot", "create", name, "--guild", guildId, "--data", join(this.folder, "data")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    const [code] = await once(child, "close");
    assert.equal(code, 0, out);
    return out.trim().split("\n").at(-1) ?? "";
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : assert.fail("a listening server has a port");
}

/** Waits until it holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, durationMs = 60_000): Promise<void> {
  for (const endMs = performance.now() + durationMs; performance.now() < endMs; await sleep(10)) if (await holds()) return;
  assert.fail(`in time: ${what}`);
}

function nexus(): string {
  return process.env.NEXUS_BIN || assert.fail("NEXUS_BIN is not set; `cargo xtask test` sets it");
}
