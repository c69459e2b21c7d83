/** Recomputes a whole log, from a server or from exported files: every leaf, root, link, signature and rotation. */
import { statSync } from "node:fs";
import { isProgram, readArguments, readUrl, runProgram, UsageError } from "./settings.ts";
import { Audit } from "./transparency/audits.ts";
import { KeyHistory } from "./transparency/cosigners.ts";
import { Fault } from "./transparency/faults.ts";
import { Deadline, Http } from "./transparency/http.ts";
import { checkConsistency, checkContinues, checkHolds, type Reading, readAll, readSeen, writeSeen } from "./transparency/readings.ts";
import { documentIn, ExportedLog, inclusionOf, latestOf, ServerLog } from "./transparency/sources.ts";
import { verifiesInclusion } from "./transparency/trees.ts";
import type { Head, KeyDocument } from "./transparency/wire.ts";

const USAGE = `node scripts/audit_merkle.ts URL|DIRECTORY [--state FILE] [--keys FILE] [--proofs NUMBER|all]

Recomputes every leaf, root, hash, link, signature and rotation of the log. DIRECTORY holds users.jsonl, sth.jsonl and
key-transparency.json. --keys names a key document that is trusted already: the log's own must go on from it, and may be missing in a
DIRECTORY. --state keeps what was seen, so that the next run notices a rollback or a split view. --proofs says how many inclusion and
consistency proofs to ask a server for (16).
Exit code: 0 the log is honest, 1 it is not (the line says what and where), 2 wrong call, 8 no answer in time.`;

const PROOFS_DEFAULT = 16;
/** One audit of the largest log that is meant to be read by this script. */
const AUDIT_MS_MAX = 6 * 3_600_000;

/** Asks for proofs about leaves and heads spread evenly over the log, and verifies them against what was recomputed. */
export async function checkProofs(http: Http, reading: Reading, latest: Head, count: number): Promise<number> {
  const indexes = spread(reading.leaves, count);
  for (const index of indexes) {
    const proof = await inclusionOf(http, index, latest.treeSize);
    const leaf = reading.leafHashes[index];
    if (!leaf?.equals(proof.leaf))
      throw new Fault("bad_inclusion", "the proof is about another leaf", { leaf: index, head: latest.treeSize });
    if (!verifiesInclusion({ leaf, index, size: latest.treeSize, root: latest.root, path: proof.path })) {
      throw new Fault("bad_inclusion", "the proof does not lead to the signed root", { leaf: index, head: latest.treeSize });
    }
  }
  for (const index of indexes) {
    const root = reading.roots.get(index + 1);
    if (root) await checkConsistency(http, { size: index + 1, root }, latest);
  }
  return indexes.length;
}

/** Up to `count` numbers below `end`, the first and the last among them. */
export function spread(end: number, count: number): number[] {
  if (count >= end) return Array.from({ length: end }, (_, index) => index);
  if (count === 1) return [end - 1];
  return Array.from({ length: count }, (_, step) => Math.floor((step * (end - 1)) / (count - 1)));
}

/** What is said of a log that holds. */
export function verdict(reading: Reading, keys: KeyHistory): string {
  const who = keys.statement();
  const root = reading.latest?.root.toString("base64") ?? "none";
  const honest = `honest: ${reading.leaves} leaves of ${reading.users} ids under ${reading.heads} heads, root ${root}`;
  return [honest, who, ...keys.warnings()].join("; ");
}

async function audit(target: string, named: ReadonlyMap<string, string>): Promise<void> {
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const http = isFolder ? null : new Http(readUrl(target), new Deadline(AUDIT_MS_MAX));
  const state = named.get("--state");
  const seen = state === undefined ? null : await readSeen(state);
  const server = http && (await latestOf(http));
  const pinned = await readPinned(named.get("--keys"));
  const source = http ? new ServerLog(http, server) : new ExportedLog(target, pinned);
  const document = await source.document();
  const keys = new KeyHistory(document);
  if (pinned) checkContinues({ ...pinned, head: null }, document, keys, null);
  if (seen && http) {
    checkContinues(seen, document, keys, server);
    if (seen.head && server) await checkConsistency(http, { size: seen.head.treeSize, root: seen.head.root }, server);
  }
  const reading = await readAll(source, new Audit(document.logId, keys), keys, (leaves) => console.error(`     ${leaves} leaves`));
  if (seen && !http) checkContinues(seen, document, keys, reading.latest);
  if (seen?.head) checkHolds(seen.head, reading);
  console.log(`ok   log: every leaf, root, link and signature was recomputed`);
  if (http && reading.latest)
    console.log(`ok   proofs: ${await checkProofs(http, reading, reading.latest, proofCount(named))} of each kind lead to the signed root`);
  if (state !== undefined) await writeSeen(state, document, reading.latest);
  console.log(verdict(reading, keys));
}

async function readPinned(path: string | undefined): Promise<KeyDocument | null> {
  if (path === undefined) return null;
  const pinned = await documentIn(path);
  // Nobody is held to keys that could not count.
  new KeyHistory(pinned);
  return pinned;
}

function proofCount(named: ReadonlyMap<string, string>): number {
  const text = named.get("--proofs") ?? String(PROOFS_DEFAULT);
  const count = text === "all" ? Number.POSITIVE_INFINITY : Number(text);
  if (text !== "all" && !(Number.isInteger(count) && count >= 0)) throw new UsageError(`--proofs ${text} is neither a number nor "all"`);
  return count;
}

if (isProgram(import.meta.url)) {
  await runProgram(USAGE, async (given) => {
    const { named, alone } = readArguments(given, ["--state", "--keys", "--proofs"]);
    const [target, ...more] = alone;
    if (!target || more.length > 0) throw new UsageError("one address or directory is needed");
    proofCount(named);
    await audit(target, named);
  });
}
