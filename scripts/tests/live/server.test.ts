/**
 * The scripts against the real server: a log with 1,000 registrations, changes of key and repetitions among them; a shorter one on the other store.
 * `NEXUS_BIN` is the server, `NEXUS_PYTHON` a Python that has what `requirements.txt` names.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBase64, isRecord } from "../../transparency/bytes.ts";
import { type LeafJson, publicOf, rotated } from "../fakeLog.ts";
import { type Ended, execute, run, runPython } from "../programs.ts";

const CLIENTS = 32;
const START_MS_MAX = 30_000;

const folder = mkdtempSync(join(tmpdir(), "nexus-live-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function nexus(): string {
  return process.env.NEXUS_BIN || assert.fail("NEXUS_BIN is not set; `cargo xtask test` sets it");
}

function runNexus(given: readonly string[]): Promise<Ended> {
  return execute(nexus(), given, {});
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : assert.fail("a listening server has a port");
}

/** Starts a server and waits until it answers. */
async function start(data: string, more: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(nexus(), ["serve", "--data", data, "--listen", listen, "--no-rate-limits", ...more], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const url = `http://${listen}`;
  for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; await sleep(50)) {
    assert.equal(child.exitCode, null, "the server ended while it started");
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer?.ok) return { child, url };
  }
  return assert.fail("the server did not start in time");
}

async function post(url: string, body: LeafJson): Promise<number> {
  const answer = await fetch(`${url}/did/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await answer.text();
  return answer.status;
}

/** Every tenth id changes its key, every seventh registration is repeated, every eleventh id is attacked. */
async function register(url: string, logId: Buffer, number: number): Promise<void> {
  const nowS = Math.floor(Date.now() / 1_000);
  const seed = `live ${number}`;
  const first: LeafJson = { id: `did:nexo:live-${number}`, public_key: publicOf(seed).toString("base64"), timestamp: nowS - 10 };
  const other: LeafJson = { ...first, public_key: publicOf(`${seed} other`).toString("base64"), timestamp: nowS };
  assert.equal(await post(url, first), 201);
  if (number % 7 === 0) assert.equal(await post(url, first), 200);
  if (number % 11 === 0) assert.equal(await post(url, other), 409);
  if (number % 10 !== 0) return;
  const change = rotated(logId, first, other, [seed, `${seed} other`]);
  assert.equal(await post(url, change), 201);
  assert.equal(await post(url, { ...rotated(logId, other, { ...first, timestamp: nowS + 1 }, [`${seed} other`, seed]) }), 409);
}

function passes({ code, out, error }: Ended): string {
  assert.equal(code, 0, out + error);
  return out;
}

const SHAPES: readonly { name: string; store: string; roles: readonly string[]; registrations: number }[] = [
  { name: "everything in one process, SQL", store: "sql", roles: [], registrations: 1_000 },
  { name: "the transparency role alone, append-only files", store: "jsonl", roles: ["--roles", "transparency"], registrations: 200 },
];

for (const [index, { name, store, roles, registrations }] of SHAPES.entries()) {
  test(`${name}: two independent auditors recompute a log of ${registrations} registrations`, async () => {
    const data = join(folder, `data-${index}`);
    const state = join(folder, `state-${index}.json`);
    const { child, url } = await start(data, ["--store", store, ...roles]);
    try {
      assert.match(passes(await run("smoke.sh", [url, "--state", state])), /^ok {3}seed: the log was empty/m);
      const document: unknown = await (await fetch(`${url}/.well-known/key-transparency`)).json();
      const logId = (isRecord(document) && fromBase64(document.log_id, 32)) || assert.fail("the key document names the log");
      const numbers = Array.from({ length: registrations }, (_, number) => number);
      const client = async () => {
        for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) await register(url, logId, number);
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      assert.doesNotMatch(passes(await run("smoke.sh", [url, "--state", state])), /seed:/);
      const leaves = registrations + registrations / 10 + 2;
      const verdict = new RegExp(`^honest: ${leaves} leaves of ${registrations + 2} ids under ${leaves} heads, .*$`, "m");
      const [first] =
        verdict.exec(passes(await run("audit_merkle.ts", [url, "--proofs", "100"]))) ?? assert.fail("audit_merkle.ts gives its verdict");
      const [second] =
        verdict.exec(passes(await runPython("audit.py", [url, "--proofs", "all"]))) ?? assert.fail("audit.py gives its verdict");
      assert.equal(first, second);
    } finally {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    }
    const into = join(folder, `export-${index}`);
    passes(await runNexus(["log", "export", into, "--data", data, "--store", store]));
    await judge(into);
  });
}

/** The exported files hold too, until one digit of them is changed; the server's own verifier says the same as the other two. */
async function judge(into: string): Promise<void> {
  // A debug build takes its time for signatures; the other two check all of them.
  const verify = ["log", "verify", into, "--signatures", "newest:20"];
  const everybody = () => Promise.all([run("audit_merkle.ts", [into]), runPython("audit.py", [into]), runNexus(verify)]);
  for (const ended of await everybody()) passes(ended);
  const path = join(into, "users.jsonl");
  const lines = readFileSync(path, "utf8").split("\n");
  const at = lines.findIndex((line, index) => index >= 100 && !line.includes("rotation"));
  lines[at] = lines[at]?.replace(/"timestamp":(\d+)/, (_, digits: string) => `"timestamp":${Number(digits) - 1}`) ?? "";
  writeFileSync(path, lines.join("\n"));
  const ended = await everybody();
  for (const { code, out } of ended) assert.equal(code, 1, out);
  for (const { out } of ended.slice(0, 2)) assert.match(out, new RegExp(`^FAIL root_mismatch at head ${at + 1}: `, "m"));
  assert.match(ended.map(({ out, error }) => out + error).at(-1) ?? "", /root_mismatch/);
}
