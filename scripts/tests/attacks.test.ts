/** A server that lies, in every way that the contract knows: each lie is called by its name and place. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readLimits } from "../settings.ts";
import { smoke } from "../smoke.ts";
import { cosigner, headAt, honest, leafAt, publicOf, refit, replaceKey, resign, START_S, type View } from "./fakeLog.ts";
import { type Behaviour, route, serve } from "./fakeServer.ts";
import { LIES, SHOWN } from "./lies.ts";
import { LIES_OF_SERVERS } from "./liesOfServers.ts";

const folder = mkdtempSync(join(tmpdir(), "nexus-smoke-"));
after(() => rmSync(folder, { recursive: true }));
const limits = readLimits({});

/** Runs the smoke test against a server and answers what it printed. */
async function look(behaviour: Behaviour, state: string | null = null, timeoutMs = 20_000): Promise<string[]> {
  const server = await serve(behaviour, timeoutMs);
  const lines: string[] = [];
  try {
    await smoke(server.http, limits, state, (line) => lines.push(line));
    return lines;
  } finally {
    server.stop();
  }
}

/** A state file that a run against an honest server left. */
async function afterSeeing(view: View, name: string): Promise<string> {
  const state = join(folder, name);
  await look({ view }, state);
  assert.ok(readFileSync(state, "utf8").includes(view.logId));
  return state;
}

test("an honest log passes, and passes again when it has grown", async () => {
  const state = await afterSeeing(honest(5), "grown");
  const lines = await look({ view: honest(12) }, state);
  assert.deepEqual(
    lines.map((line) => line.split(":")[0]),
    ["health", "keys", "since", "log", "proofs", "relay"],
  );
  assert.match(lines.join("\n"), /honest: 12 leaves of 10 ids under 12 heads, root .*; single-operator log/);
});

test("a log that changed a cosigner's key in the open passes, old heads under the old key", async () => {
  const state = await afterSeeing(honest(5), "rotated");
  const view = honest(9);
  replaceKey(view, 1, 6);
  await look({ view }, state);
  view.cosigners = view.cosigners.map((one) => ({ ...one, from: START_S, until: null }));
  await assert.rejects(look({ view }), { code: "key_changed" });
});

for (const { name, code, leaf, head, edit, instead } of [...LIES, ...LIES_OF_SERVERS]) {
  test(`${name} is ${code}`, async () => {
    const view = structuredClone(SHOWN);
    edit?.(view);
    const place = { ...(leaf === undefined ? {} : { leaf }), ...(head === undefined ? {} : { head }) };
    await assert.rejects(look(instead ? { view, instead } : { view }), (fault: { code?: string; place?: object }) => {
      assert.deepEqual({ code: fault.code, place: fault.place }, { code, place }, String(fault));
      return true;
    });
  });
}

test("what was seen before is held against what is shown now", async () => {
  const state = await afterSeeing(honest(8), "seen");
  const forked = honest(8);
  leafAt(forked, 7).timestamp += 1;
  refit(forked);
  await assert.rejects(look({ view: forked }, state), { code: "split_view", place: { head: 8 } });

  const grownFork = honest(12);
  leafAt(grownFork, 7).timestamp += 1;
  refit(grownFork);
  await assert.rejects(
    look({ view: grownFork }, state),
    { code: "split_view", place: { head: 12 } },
    "its own proof can't lead from our root",
  );

  const signedAgain = honest(8);
  headAt(signedAgain, 8).timestamp += 1;
  resign(signedAgain);
  await assert.rejects(
    look({ view: signedAgain }, state),
    { code: "split_view", place: { head: 8 } },
    "the same leaves under another head",
  );
  const without = honest(12);
  without.heads.splice(7, 1);
  resign(without);
  await assert.rejects(look({ view: without }, state), { code: "split_view", place: { head: 8 } }, "the head that was seen is gone");

  await assert.rejects(look({ view: honest(5) }, state), { code: "rollback", place: { head: 5 } });
  const emptied = await serve({ view: honest(0) });
  await assert.rejects(
    smoke(emptied.http, limits, state, () => {}),
    { code: "rollback" },
  );
  assert.deepEqual(emptied.registered, [], "an emptied log is not seeded");
  emptied.stop();
  await assert.rejects(look({ view: honest(8, "another log") }, state), { code: "wrong_log" });

  const otherKeys = honest(12);
  otherKeys.cosigners[1] = { ...cosigner(1), public_key: publicOf("x").toString("base64") };
  await assert.rejects(look({ view: otherKeys }, state), { code: "key_changed" });
  await look({ view: honest(8) }, state);
});

test("a log is seeded only when it is empty", async () => {
  const view = honest(2);
  let isEmpty = true;
  const shown = honest(0);
  const behaviour: Behaviour = {
    view: shown,
    instead: route("/did/register", () => {
      // The first registration fills the log; the fake needs no more than that.
      if (isEmpty) Object.assign(shown, view);
      isEmpty = false;
      return { message: "already registered", tree_size: 2, leaf_index: 0, sth: view.heads[1] };
    }),
  };
  const server = await serve(behaviour);
  const lines: string[] = [];
  await smoke(server.http, limits, null, (line) => lines.push(line));
  await smoke(server.http, limits, null, () => {});
  server.stop();
  assert.ok(lines.some((line) => line.startsWith("seed: the log was empty")));
  assert.deepEqual(
    server.registered.map((body) => (body as { id: string }).id),
    ["did:nexo:seed-1", "did:nexo:seed-2"],
  );
});

test("a server that hangs at any route is unreachable within the deadline", async () => {
  const routes = [
    "/health",
    "/.well-known/key-transparency",
    "/sth/latest",
    "/sth/chain",
    "/did/leaves",
    "/sth/proof/inclusion",
    "/sth/proof/consistency",
  ];
  const hang = async (name: string) => {
    const started = performance.now();
    await assert.rejects(look({ view: SHOWN, instead: route(name, () => "hang") }, null, 400), { code: "unreachable" }, name);
    assert.ok(performance.now() - started < 5_000, name);
  };
  await Promise.all(routes.map(hang));
  await assert.rejects(look({ view: SHOWN, relay: () => null }, null, 1_500), { code: "unreachable" }, "the relay");
});

test("a relay that changes a frame, or takes one that is too big, is found", async () => {
  await assert.rejects(look({ view: SHOWN, relay: (text) => JSON.stringify(JSON.parse(text)) }), { check: "relay" });
  await assert.rejects(look({ view: SHOWN, relay: (text) => text.replace(/.(?=" }$)/, "?") }), { check: "relay" });
  await assert.rejects(look({ view: SHOWN, relay: () => "nobody" }), { check: "relay" });
  await assert.rejects(look({ view: SHOWN, relayBytesMax: 131_071 }), { check: "relay" });
  await assert.rejects(look({ view: SHOWN, relayBytesMax: 1_000_000 }, null, 3_000), { check: "relay" });
});
