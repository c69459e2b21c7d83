/** The programs as they are started: what they print, and their exit codes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { spread } from "../audit_merkle.ts";
import { readLimits } from "../settings.ts";
import { headAt, honest, replaceKey, type View } from "./fakeLog.ts";
import { document, route, serve } from "./fakeServer.ts";
import { SHOWN } from "./lies.ts";
import { run } from "./programs.ts";

const folder = mkdtempSync(join(tmpdir(), "nexus-scripts-"));
after(() => rmSync(folder, { recursive: true }));

/** Writes a view as `nexus log export` would. */
function exported(name: string, view: View, files: Record<string, string> = {}): string {
  const into = mkdtempSync(join(folder, `${name}-`));
  const lines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
  const all = {
    "users.jsonl": lines(view.leaves),
    "sth.jsonl": lines(view.heads),
    "key-transparency.json": JSON.stringify(document(view)),
    ...files,
  };
  for (const [file, text] of Object.entries(all)) writeFileSync(join(into, file), text);
  return into;
}

test("smoke.sh prints a line for each check and ends with 0", async () => {
  const server = await serve({ view: SHOWN });
  const { code, out, error } = await run("smoke.sh", [server.url]);
  server.stop();
  assert.equal(code, 0, out + error);
  assert.equal(out.split("\n").filter((line) => line.startsWith("ok   ")).length, 5, out);
});

test("smoke.ts names the fault and its place, and ends with 1", async () => {
  const view = structuredClone(SHOWN);
  headAt(view, 9).prev_hash = "";
  const server = await serve({ view });
  const { code, out } = await run("smoke.ts", [server.url]);
  server.stop();
  assert.equal(code, 1);
  assert.match(out, /^FAIL broken_link at head 9: it links to no head, the head before it is /m);
});

test("smoke.ts ends with 8 when the server hangs or is not there", async () => {
  const server = await serve({ view: SHOWN, instead: route("/sth/chain", () => "hang") });
  const started = performance.now();
  const hung = await run("smoke.ts", [server.url], { SMOKE_TIMEOUT_SEC: "0.5" });
  server.stop();
  assert.equal(hung.code, 8);
  assert.match(hung.out, /^FAIL unreachable: GET \/sth\/chain\?limit=1: no answer within 0\.\d s$/m);
  assert.ok(performance.now() - started < 8_000);
  const gone = await run("smoke.ts", [server.url]);
  assert.equal(gone.code, 8);
  assert.match(gone.out, /^FAIL unreachable: GET \/health: /m);
});

test("a call that is not understood ends with 2 and the usage", async () => {
  const calls: readonly (readonly [string, readonly string[], NodeJS.ProcessEnv?])[] = [
    ["smoke.ts", ["--fast"]],
    ["smoke.ts", ["not an address"]],
    ["smoke.ts", [], { SMOKE_TIMEOUT_SEC: "soon" }],
    ["audit_merkle.ts", []],
    ["audit_merkle.ts", ["http://127.0.0.1:1", "--proofs", "some"]],
    ["seed_two_dids.ts", []],
  ];
  const ended = await Promise.all(calls.map(([program, given, environment]) => run(program, given, environment)));
  for (const { code, error } of ended) {
    assert.equal(code, 2, error);
    assert.match(error, /Exit code: 0/);
  }
});

test("audit_merkle.ts reads a server and a directory alike, and remembers", async () => {
  const server = await serve({ view: SHOWN });
  const state = join(folder, "audit-state.json");
  const [remote, local] = await Promise.all([
    run("audit_merkle.ts", [server.url, "--proofs", "all", "--state", state]),
    run("audit_merkle.ts", [exported("good", SHOWN)]),
  ]);
  server.stop();
  assert.deepEqual([remote.code, local.code], [0, 0], remote.out + remote.error + local.out + local.error);
  assert.match(remote.out, /^ok {3}proofs: 12 of each kind/m);
  assert.equal(remote.out.split("\n").at(-2), local.out.split("\n").at(-2));
  assert.match(local.out, /^honest: 12 leaves of 10 ids under 12 heads/m);
  const earlier = await run("audit_merkle.ts", [exported("earlier", honest(5)), "--state", state]);
  assert.equal(earlier.code, 1);
  assert.match(earlier.out, /^FAIL rollback at head 5: /m);
});

test("audit_merkle.ts holds a server and a directory against pinned keys", async () => {
  const pinned = join(exported("pinned", SHOWN), "key-transparency.json");
  const [kept, lost] = [honest(12), honest(12)];
  replaceKey(kept, 1, 6);
  replaceKey(lost, 1, 6, false);
  const bare = exported("bare", SHOWN);
  rmSync(join(bare, "key-transparency.json"));
  const server = await serve({ view: lost });
  const foreign = join(exported("foreign", honest(3, "another log")), "key-transparency.json");
  const calls: readonly (readonly [readonly string[], RegExp])[] = [
    [[exported("kept", kept), "--keys", pinned], /^honest: .*; single-operator log$/m],
    [[bare, "--keys", pinned], /^honest: .*; single-operator log$/m],
    [[exported("lost", lost)], /^honest: .*; the key of cosigner_1 from \d+ on has no word of the key before it; /m],
    [[exported("lost", lost), "--keys", pinned], /^FAIL key_changed: the key of cosigner_1 from \d+ on is new and lacks /m],
    [[server.url, "--keys", pinned], /^FAIL key_changed: the key of cosigner_1 from \d+ on is new and lacks /m],
    [[exported("kept", kept), "--keys", foreign], /^FAIL wrong_log: /m],
  ];
  const ended = await Promise.all(calls.map(([given]) => run("audit_merkle.ts", given)));
  server.stop();
  for (const [index, { code, out, error }] of ended.entries()) {
    assert.match(out, calls[index]?.[1] ?? /never/, error);
    assert.equal(code, out.includes("FAIL") ? 1 : 0);
  }
});

test("audit_merkle.ts finds the faults of files", async () => {
  const torn = `${SHOWN.heads.map((head) => JSON.stringify(head)).join("\n")}\n{"tree_size":13`;
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ "sth.jsonl": torn }, /^FAIL unreadable: .*sth\.jsonl, line 13 is no JSON$/m],
    [{ "users.jsonl": "" }, /^FAIL missing_leaf at leaf 0, head 1: /m],
    [{ "sth.jsonl": "" }, /^FAIL stale_head at leaf 0: /m],
    [{ "key-transparency.json": "{}" }, /^FAIL unreadable: the key document: version /m],
  ];
  const nothing = await run("audit_merkle.ts", [mkdtempSync(join(folder, "empty-"))]);
  assert.match(nothing.out, /^FAIL unreadable: ENOENT/m);
  const ended = await Promise.all(cases.map(([files]) => run("audit_merkle.ts", [exported("bad", SHOWN, files)])));
  for (const [index, { code, out }] of ended.entries()) {
    assert.equal(code, 1);
    assert.match(out, cases[index]?.[1] ?? /never/);
  }
});

test("limits.env holds the limits of the contract, and the environment overrides them", () => {
  assert.deepEqual(readLimits({}), { maxWsPayloadBytes: 131_072, rateLimitRps: 10, smokeTimeoutMs: 180_000 });
  assert.equal(readLimits({ RATE_LIMIT_RPS: "3" }).rateLimitRps, 3);
});

test("proofs are asked for all over the log", () => {
  assert.deepEqual(spread(3, 16), [0, 1, 2]);
  assert.deepEqual(spread(101, 5), [0, 25, 50, 75, 100]);
  assert.deepEqual(spread(9, 1), [8]);
  assert.deepEqual(spread(9, 0), []);
});
