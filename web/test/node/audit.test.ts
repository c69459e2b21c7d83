// @vitest-environment node
import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type Head, headHash, KeyLog, type Leaf, Pair, sha256 } from "../../e2e/keyLog.ts";
import init, { Audit } from "../../generated/nexus_wasm.js";
import { runAudit } from "../../src/features/transparency/audit.ts";
import type { Fault } from "../../src/features/transparency/faults.ts";
import { fault } from "../../src/features/transparency/faults.ts";
import type { Report, Seen } from "../../src/features/transparency/shapes.ts";

// Tens of thousands of signatures, made and checked.
vi.setConfig({ testTimeout: 60_000 });

beforeAll(async () => {
  await init({ module_or_path: await readFile(path.join(import.meta.dirname, "../../generated/nexus_wasm_bg.wasm")) });
});

/** Changes an answer of the log on its way to the browser. */
type Alter = (path: string, body: never) => unknown;

async function audit(log: KeyLog, options: { alter?: Alter; seen?: Seen | null; everySignature?: boolean } = {}): Promise<Report> {
  const { alter, seen = null, everySignature = false } = options;
  const outcome = await runAudit({
    begin: Audit.begin,
    get: async (path) => {
      const url = new URL(path, "http://log");
      const answer = log.answer(url);
      if (!answer) throw fault("unreachable", path);
      const copy = structuredClone(answer.body);
      const body = alter?.(url.pathname, copy as never) ?? copy;
      return { status: answer.status, body: new TextEncoder().encode(JSON.stringify(body)) };
    },
    seen,
    everySignature,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    rest: async () => undefined,
  });
  return outcome.report;
}

async function faultOf(log: KeyLog, alter: Alter, seen: Seen | null = null): Promise<Fault | null> {
  const { verdict, fault: found } = await audit(log, { alter, seen });
  expect(verdict).toBe("fault");
  return found;
}

function seenOf(report: Report): Seen {
  if (!report.document || !report.latest) throw new Error("Nothing was seen.");
  return { document: report.document, head: report.latest, first: 1, last: 1 };
}

function grown(count: number, name = "log"): KeyLog {
  const log = new KeyLog(name);
  log.grow(count);
  return log;
}

/** Alters the head of a size wherever the chain shows it. */
function alterHead(size: number, change: (head: Head) => void): Alter {
  return (path, body: Head[]) => {
    if (path === "/sth/chain") for (const head of body) if (head.tree_size === size) change(head);
    return body;
  };
}

describe("an honest log", () => {
  it("is found consistent, at sizes around those of a page", async () => {
    for (const size of [1, 2, 13, 1_000, 1_001]) {
      const report = await audit(grown(size));
      expect(report).toMatchObject({ verdict: "consistent", leaves: size, heads: size, ids: size, signaturesChecked: size });
    }
  });

  it("is empty when it has nothing", async () => {
    expect(await audit(new KeyLog())).toMatchObject({ verdict: "empty", leaves: 0 });
  });

  it("may have fewer heads than entries", async () => {
    const log = grown(30);
    const kept = log.heads.filter((head) => head.tree_size % 7 === 2);
    kept.forEach((head, index) => {
      const before = kept[index - 1];
      head.prev_hash = before ? headHash(before).toString("base64") : "";
      log.sign(head, [1, 2]);
    });
    log.heads.splice(0, log.heads.length, ...kept);
    log.leaves.length = 30;
    const report = await audit(log, {
      alter: (path, body: Leaf[]) => (path === "/did/leaves" ? body.filter((leaf) => leaf.leaf_index < 30) : body),
    });
    expect(report).toMatchObject({ verdict: "consistent", leaves: 30, heads: 5 });
  });

  it("may change keys as both keys agree", async () => {
    const log = grown(5);
    const [first, second, third] = ["first", "second", "third"].map((name) => Pair.named(name)) as [Pair, Pair, Pair];
    log.register("did:example:mika", first, 1_800_000_000);
    log.rotate("did:example:mika", first, second, 1_800_000_001);
    log.rotate("did:example:mika", second, third, 1_800_000_002);
    expect(await audit(log)).toMatchObject({ verdict: "consistent", leaves: 8, ids: 6 });
  });

  it("goes on from what was seen before", async () => {
    const log = grown(1_500);
    const seen = seenOf(await audit(log));
    log.grow(700);
    expect(await audit(log, { seen })).toMatchObject({ verdict: "consistent", leaves: 2_200 });
  });

  it("may grow while it is read", async () => {
    const log = grown(1_200);
    let grew = 0;
    const alter: Alter = (path, body) => {
      if (path === "/did/leaves" && grew++ < 3) log.grow(10);
      return body;
    };
    expect(await audit(log, { alter })).toMatchObject({ verdict: "consistent" });
  });
});

describe("a dishonest log", () => {
  it("drops an entry", async () => {
    const alter: Alter = (path, body: Leaf[]) => (path === "/did/leaves" ? body.filter((leaf) => leaf.leaf_index !== 6) : body);
    expect(await faultOf(grown(20), alter)).toMatchObject({ code: "missing_leaf", leaf_index: 6 });
  });

  it("drops an entry and numbers the others anew", async () => {
    const alter: Alter = (path, body: Leaf[]) =>
      path === "/did/leaves" ? body.filter((leaf) => leaf.leaf_index !== 6).map((leaf, index) => ({ ...leaf, leaf_index: index })) : body;
    expect(await faultOf(grown(20), alter)).toMatchObject({ code: "root_mismatch", tree_size: 7 });
  });

  it("edits an entry", async () => {
    const alter: Alter = (path, body: Leaf[]) => {
      if (path === "/did/leaves" && body[11]) body[11].timestamp += 1;
      return body;
    };
    expect(await faultOf(grown(20), alter)).toMatchObject({ code: "root_mismatch", tree_size: 12 });
  });

  const other = sha256(Buffer.from("x")).toString("base64");
  const changes: Record<string, [size: number, change: (head: Head) => unknown]> = {
    broken_link: [9, (head) => Object.assign(head, { prev_hash: other })],
    too_few_signatures: [8, (head) => head.signatures.splice(1)],
    same_cosigner: [7, (head) => head.signatures.splice(1, 2, ...head.signatures.slice(0, 1))],
    unknown_cosigner: [7, (head) => Object.assign(head.signatures[1] ?? {}, { cosigner: "cosigner_9" })],
    bad_signature: [6, (head) => Object.assign(head.signatures[1] ?? {}, { sig: head.signatures[0]?.sig })],
    bad_policy: [5, (head) => Object.assign(head.policy, { t: 1 })],
    root_mismatch: [4, (head) => Object.assign(head, { root: other })],
    empty_head: [0, (head) => Object.assign(head, { tree_size: 0 })],
  };
  it.each(Object.entries(changes))("has a head with %s", async (code, [size, change]) => {
    const at = size || 3;
    expect(await faultOf(grown(20), alterHead(at, change))).toMatchObject({ code, tree_size: size });
  });

  it("has a forged signature under its latest head alone", async () => {
    const alter: Alter = (path, body: Head) => {
      if (path === "/sth/latest") body.signatures[0] = { cosigner: "cosigner_0", sig: body.signatures[1]?.sig ?? "" };
      return body;
    };
    const { fault: found, signers } = await audit(grown(20), { alter });
    expect(found).toMatchObject({ code: "bad_signature", tree_size: 20 });
    expect(signers).toEqual([
      { cosigner: "cosigner_0", known: true, valid: false },
      { cosigner: "cosigner_1", known: true, valid: true },
      { cosigner: "cosigner_2", known: true, valid: true },
    ]);
  });

  it("shows an old head", async () => {
    const log = grown(20);
    const alter: Alter = (path, body) => (path === "/sth/latest" ? log.heads[15] : body);
    expect(await faultOf(log, alter)).toMatchObject({ code: "stale_head", tree_size: 16 });
  });

  it("replays a change of key", async () => {
    const log = grown(3);
    const [first, second] = [Pair.named("first"), Pair.named("second")];
    log.register("did:example:mika", first, 1_800_000_000);
    log.rotate("did:example:mika", first, second, 1_800_000_001);
    const before = log.current("did:example:mika");
    log.rotate("did:example:mika", second, Pair.named("third"), 1_800_000_002);
    log.register("did:example:mika", second, 1_800_000_003, before?.rotation);
    expect(await faultOf(log, (_, body) => body)).toMatchObject({ code: "key_returned", leaf_index: 6 });
    const other = grown(3);
    other.register("did:example:mika", first, 1_800_000_000);
    other.register("did:example:mika", Pair.named("thief"), 1_800_000_001, before?.rotation);
    expect(await faultOf(other, (_, body) => body)).toMatchObject({ code: "rotation_invalid", leaf_index: 4 });
  });

  it("shrinks", async () => {
    const log = grown(40);
    const seen = seenOf(await audit(log));
    expect(await faultOf(grown(30), (_, body) => body, seen)).toMatchObject({ code: "rollback", tree_size: 30 });
    expect(await faultOf(new KeyLog(), (_, body) => body, seen)).toMatchObject({ code: "rollback" });
  });

  it("has another root for a size that was seen, or another past", async () => {
    const seen = seenOf(await audit(grown(40)));
    for (const size of [40, 60]) {
      const other = new KeyLog("log", 1_700_000_000);
      other.grow(size);
      expect(await faultOf(other, (_, body) => body, seen)).toMatchObject({ code: "split_view", tree_size: size });
    }
  });

  it("is another log, or another's keys", async () => {
    const log = grown(10);
    const seen = seenOf(await audit(log));
    expect(await faultOf(grown(10, "other"), (_, body) => body, seen)).toMatchObject({ code: "wrong_log" });
    const alter: Alter = (path, body: KeyLog["document"]) => {
      if (path === "/.well-known/key-transparency" && body.cosigners[0]) body.cosigners[0].public_key = Pair.named("thief").text;
      return body;
    };
    expect(await faultOf(log, alter, seen)).toMatchObject({ code: "key_changed" });
  });
});
