/** Reading a whole log, and what is remembered of it until the next time. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { type Audit, checkSignatures, checkSince } from "./audits.ts";
import { fromBase64, isRecord } from "./bytes.ts";
import type { KeyHistory } from "./cosigners.ts";
import { Fault } from "./faults.ts";
import type { Http } from "./http.ts";
import { consistencyOf, type Source } from "./sources.ts";
import { verifiesConsistency } from "./trees.ts";
import { type CosignerKey, type Head, type KeyDocument, readCosignerKey, readHead } from "./wire.ts";

/** Called now and then with how far a reading is. */
export type Progress = (leaves: number) => void;

/** A whole log that was found good. */
export interface Reading {
  readonly latest: Head | null;
  readonly leaves: number;
  readonly heads: number;
  readonly users: number;
  /** The sizes, roots and leaf hashes that proofs are checked against. */
  readonly roots: ReadonlyMap<number, Buffer>;
  readonly leafHashes: readonly Buffer[];
}

/** What an earlier run saw, or what was pinned: then there is no head. */
export interface Seen {
  readonly logId: Buffer;
  readonly keys: readonly CosignerKey[];
  readonly head: Head | null;
}

/** Judges every leaf and every head of a source, first to last. */
export async function readAll(source: Source, audit: Audit, keys: KeyHistory, onProgress: Progress = () => {}): Promise<Reading> {
  const leaves = source.leaves();
  const leafHashes: Buffer[] = [];
  const roots = new Map<number, Buffer>();
  let heads = 0;
  for await (const head of source.heads()) {
    while (audit.leaves < head.treeSize) {
      const { value: registration, done } = await leaves.next();
      if (done) break;
      audit.leaf(registration);
      leafHashes.push(registration.leaf);
    }
    audit.next(head);
    checkSignatures(head, keys);
    roots.set(head.treeSize, head.root);
    heads += 1;
    if (heads % 1_000 === 0) onProgress(audit.leaves);
  }
  audit.finish();
  if (!(await leaves.next()).done) throw new Fault("stale_head", "the log holds a leaf that no head is over", { leaf: audit.leaves });
  return { latest: audit.head, leaves: audit.leaves, heads, users: audit.users, roots, leafHashes };
}

/** Is this still the log that was seen, with its keys? If it grew, only a consistency proof can tell about its tree. */
export function checkContinues(seen: Seen, document: KeyDocument, keys: KeyHistory, latest: Head | null): void {
  if (!seen.logId.equals(document.logId)) {
    throw new Fault("wrong_log", `this is ${document.logId.toString("base64")}, seen was ${seen.logId.toString("base64")}`);
  }
  keys.mustContinue(seen.keys);
  if (seen.head && !latest) throw new Fault("rollback", `the log is empty, a head over ${seen.head.treeSize} leaves was seen before`);
  if (seen.head && latest) checkSince(seen.head, latest);
}

/** Does the server prove that the tree of `latest` begins with the tree of `earlier`? */
export async function checkConsistency(http: Http, earlier: { size: number; root: Buffer }, latest: Head): Promise<void> {
  const path = await consistencyOf(http, earlier.size, latest.treeSize);
  const claim = { first: earlier.size, second: latest.treeSize, firstRoot: earlier.root, secondRoot: latest.root, path };
  if (!verifiesConsistency(claim)) {
    throw new Fault("split_view", `the proof does not lead from the root over ${earlier.size} leaves to this one`, {
      head: latest.treeSize,
    });
  }
}

/** Does the log that was read hold the head that was seen? */
export function checkHolds(seen: Head, reading: Reading): void {
  if (!reading.roots.get(seen.treeSize)?.equals(seen.root)) {
    throw new Fault("split_view", "a head of this size with another root was seen before", { head: seen.treeSize });
  }
}

/** What an earlier run left; null for the first. */
export async function readSeen(path: string): Promise<Seen | null> {
  const text = await readFile(path, "utf8").catch((why: NodeJS.ErrnoException) => {
    if (why.code === "ENOENT") return null;
    throw new Fault("unreadable", why.message);
  });
  if (text === null) return null;
  const bad = new Fault("unreadable", `${path} is not what a run of this script leaves behind`);
  try {
    const value: unknown = JSON.parse(text);
    const [logId, keys] = isRecord(value) ? [fromBase64(value.log_id, 32), value.cosigners] : [null, null];
    if (!isRecord(value) || !logId || !Array.isArray(keys)) throw bad;
    return { logId, keys: keys.map(readCosignerKey), head: value.head === null ? null : readHead(value.head, path) };
  } catch {
    throw bad;
  }
}

/** Leaves what this run saw; a crash leaves the old file or the new one. */
export async function writeSeen(path: string, document: KeyDocument, latest: Head | null): Promise<void> {
  const seen = { log_id: document.logId.toString("base64"), cosigners: document.rawKeys, head: latest?.raw ?? null };
  await writeFile(`${path}.new`, `${JSON.stringify(seen)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
