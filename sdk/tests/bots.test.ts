/** The example bots against a real server: both are killed, and so is the server, and every event becomes one message. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NexusClient } from "@nexus/sdk/hub";
import { Instance, SECRET, until } from "./instance.ts";
import { node, python } from "./probes.ts";

let instance: Instance;
let token = "";
let guildId = "";
const running = new Set<ChildProcess>();

before(async () => {
  instance = await Instance.start();
  const account = await ask("POST", "/auth/register", { username: "mika", password: "a long enough password" });
  token = String(account.access_token);
  guildId = String((await ask("POST", "/guilds", { name: "Mint" })).id);
});
after(async () => {
  for (const child of running) child.kill("SIGKILL");
  await instance.end();
});

async function ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${instance.url}/api/v1${path}`, {
    method,
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path} was answered with ${answer.status}: ${text}`);
  return JSON.parse(text);
}

async function messages(channelId: string): Promise<string[]> {
  const page = (await ask("GET", `/channels/${channelId}/messages?limit=100`)) as unknown as { content: string }[];
  return page.map(({ content }) => content).reverse();
}

/** Starts the bot anew each time it is killed; its position is in a file. */
class Bot {
  readonly channelId: string;
  readonly #command: [string, ...string[]];
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;

  constructor(command: [string, ...string[]], channelId: string, botToken: string) {
    this.channelId = channelId;
    this.#command = command;
    this.#environment = {
      ...process.env,
      NEXUS_URL: instance.url,
      NEXUS_SECRET: SECRET,
      BOT_TOKEN: botToken,
      CHANNEL_ID: channelId,
      POSITION_FILE: join(instance.folder, `${channelId}.txt`),
    };
  }

  start(): void {
    const [command, ...words] = this.#command;
    // What it says of a server that is away is not of interest here.
    this.#child = spawn(command, words, { env: this.#environment, stdio: ["ignore", "ignore", "ignore"] });
    running.add(this.#child);
  }

  async stop(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child ?? assert.fail("it runs");
    assert.equal(child.exitCode, null, "the bot is still there");
    child.kill(signal);
    const [code] = await once(child, "exit");
    running.delete(child);
    return code;
  }

  get hasPosition(): boolean {
    return existsSync(this.#environment.POSITION_FILE ?? "");
  }
}

test("every event becomes one message, though bots and server are killed", async () => {
  await instance.kill();
  const botToken = await instance.makeBot("minter", guildId);
  await instance.start();
  const example = (name: string) => fileURLToPath(new URL(`../../examples/minted-bot/${name}`, import.meta.url));
  const commands = [node(example("bot.ts")), python(example("bot.py"))];
  const bots: Bot[] = [];
  for (const [index, command] of commands.entries()) {
    const channel = await ask("POST", `/guilds/${guildId}/channels`, { name: `minted-${index}`, type: 0 });
    bots.push(new Bot(command, String(channel.id), botToken));
  }
  for (const bot of bots) bot.start();
  await until("both bots listen", () => bots.every((bot) => bot.hasPosition));

  const client = new NexusClient({ url: instance.url, secret: SECRET });
  const mint = (amount: number) =>
    client.publish("FACTORY:MINT_CONFIRMED", { address: "0x1", amount, reason: "reward" }, { id: `mint-${amount}` });
  const expected: string[] = [];
  for (let amount = 1; amount <= 60; amount += 1) {
    await mint(amount);
    expected.push(`minted ${amount} for 0x1`);
    if (amount === 20) for (const bot of bots) await bot.stop("SIGKILL");
    if (amount === 25) for (const bot of bots) bot.start();
    if (amount === 40) {
      await instance.kill();
      await sleep(500);
      await instance.start();
    }
  }
  for (const bot of bots) {
    await until("everything is said", async () => (await messages(bot.channelId)).length >= expected.length);
  }
  await sleep(300);
  for (const bot of bots) {
    assert.deepEqual(await messages(bot.channelId), expected);
    assert.equal(await bot.stop("SIGTERM"), 0);
  }
});
