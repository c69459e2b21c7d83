/** A small log with cosigners of its own, made for the tests: honest unless a test edits it. Its proofs are made from the definition. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { bigEndian, canonicalJson, sha256 } from "../transparency/bytes.ts";
import { leafHash } from "../transparency/trees.ts";

export const START_S = 1_795_000_000;
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** A leaf as `/did/leaves` and `users.jsonl` have it. */
export interface LeafJson {
  id: string;
  public_key: string;
  timestamp: number;
  rotation?: { old: string; new: string };
}

export interface HeadJson {
  tree_size: number;
  root: string;
  prev_hash: string;
  policy: { t: number; n: number };
  timestamp: number;
  signatures: { cosigner: string; sig: string }[];
}

export interface CosignerJson {
  cosigner: string;
  public_key: string;
  from: number;
  until: number | null;
  endorsement: string | null;
  operator: string;
  url: string | null;
  ended_at?: { tree_size: number; head: string };
}

export function keyOf(seed: string): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, sha256(Buffer.from(seed))]), format: "der", type: "pkcs8" });
}

export function publicOf(seed: string): Buffer {
  return createPublicKey(keyOf(seed)).export({ format: "der", type: "spki" }).subarray(-32);
}

export function signedBy(seed: string, message: Uint8Array): string {
  return sign(null, message, keyOf(seed)).toString("base64");
}

export function leafOf(json: LeafJson): Buffer {
  return leafHash(json.id, Buffer.from(json.public_key, "base64"), json.timestamp);
}

export function headHash(head: HeadJson): Buffer {
  const { signatures: _, ...unsigned } = head;
  return sha256(Buffer.from(canonicalJson(unsigned)));
}

/** What a server shows. Tests copy one with `structuredClone` and edit it. */
export interface View {
  logId: string;
  cosigners: CosignerJson[];
  leaves: (LeafJson & { leaf_index?: number })[];
  heads: HeadJson[];
}

/** An honest log: `count` leaves, among them two changes of the key of `did:nexo:user-0`, and a head for each. */
export function honest(count: number, name = "a log"): View {
  const logId = sha256(Buffer.from(name));
  const leaves: LeafJson[] = [];
  for (let index = 0; index < count; index += 1) {
    const rotates = index === 3 || index === 6;
    const [id, timestamp] = [`did:nexo:user-${rotates ? 0 : index}`, START_S + index];
    const leaf: LeafJson = { id, public_key: publicOf(`${name} ${index}`).toString("base64"), timestamp };
    const before = leaves[index === 6 ? 3 : 0];
    leaves.push(rotates && before ? rotated(logId, before, leaf, [`${name} ${index === 6 ? 3 : 0}`, `${name} ${index}`]) : leaf);
  }
  const view: View = {
    logId: logId.toString("base64"),
    cosigners: [0, 1, 2].map((number) => cosigner(number)),
    leaves,
    heads: leaves.map((leaf, index) => ({
      tree_size: index + 1,
      root: "",
      prev_hash: "",
      policy: { t: 2, n: 3 },
      timestamp: leaf.timestamp,
      signatures: [],
    })),
  };
  refit(view);
  return view;
}

/** A registration with the word of both keys. */
export function rotated(logId: Buffer, before: LeafJson, after: LeafJson, [old, next]: readonly [string, string]): LeafJson {
  const message = Buffer.concat([Buffer.from("nexus/did-rotate/2"), logId, leafOf(before), leafOf(after)]);
  return { ...after, rotation: { old: signedBy(old, message), new: signedBy(next, message) } };
}

export function cosigner(number: number, seed = cosignerSeed(`cosigner_${number}`)): CosignerJson {
  const [name, key] = [`cosigner_${number}`, publicOf(seed).toString("base64")];
  return { cosigner: name, public_key: key, from: START_S, until: null, endorsement: null, operator: "this server", url: null };
}

export function cosignerSeed(name: string): string {
  return `the seed of ${name}`;
}

/** The key that takes another's place at a time, with or without its predecessor's word. */
export function succeed(view: View, number: number, fromS: number, isEndorsed: boolean): void {
  const before = view.cosigners.find((one) => one.cosigner === `cosigner_${number}` && one.until === null);
  if (!before) throw new Error("there is always a key that counts");
  before.until = fromS;
  const after = { ...cosigner(number, `another seed of cosigner_${number}`), from: fromS };
  if (isEndorsed) endorse(view, after, cosignerSeed(after.cosigner));
  view.cosigners.push(after);
}

/** Gives a cosigner's key the word of another. */
export function endorse(view: View, entry: CosignerJson, seed: string): void {
  const parts = [
    "nexus/cosigner-rotate/1",
    Buffer.from(view.logId, "base64"),
    entry.cosigner,
    Buffer.from(entry.public_key, "base64"),
    bigEndian(entry.from),
  ];
  entry.endorsement = signedBy(seed, Buffer.concat(parts.map((part) => Buffer.from(part as string))));
}

/** An open change of a cosigner's key after a head: later heads are signed by the new one. */
export function replaceKey(view: View, number: number, afterSize: number, isEndorsed = true): void {
  succeed(view, number, headAt(view, afterSize).timestamp + 1, isEndorsed);
  const name = `cosigner_${number}`;
  for (const head of view.heads.filter((one) => one.tree_size > afterSize)) {
    for (const one of head.signatures.filter((by) => by.cosigner === name)) one.sig = signedBy(`another seed of ${name}`, headHash(head));
  }
}

/** The entry of a cosigner's key that ended, with its last head. */
export function nameLastHead(view: View, number: number, size: number): void {
  const ended = view.cosigners.find((one) => one.cosigner === `cosigner_${number}` && one.until !== null);
  if (!ended) throw new Error("no key ended");
  ended.ended_at = { tree_size: size, head: headHash(headAt(view, size)).toString("base64") };
}

export function leafAt(view: View, index: number): View["leaves"][number] {
  const leaf = view.leaves[index];
  if (!leaf) throw new Error(`the log has no leaf ${index}`);
  return leaf;
}

export function headAt(view: View, size: number): HeadJson {
  const head = view.heads.find((one) => one.tree_size === size);
  if (!head) throw new Error(`the log has no head over ${size}`);
  return head;
}

/** Makes heads fit edited leaves, as a log and cosigners would that check nothing. */
export function refit(view: View): void {
  reroot(view);
  resign(view);
}

/** Makes every root fit the leaves. */
function reroot(view: View): void {
  const leaves = view.leaves.map(leafOf);
  for (const head of view.heads) head.root = treeHash(leaves.slice(0, head.tree_size)).toString("base64");
}

/** Links and signs every head again, as cosigners would that look at nothing. Two of the three take turns. */
export function resign(view: View, cosigners = 2): void {
  let before: HeadJson | null = null;
  for (const [index, head] of view.heads.entries()) {
    head.prev_hash = before ? headHash(before).toString("base64") : "";
    const names = Array.from({ length: cosigners }, (_, turn) => `cosigner_${(index + turn) % 3}`);
    head.signatures = names.map((name) => ({ cosigner: name, sig: signedBy(cosignerSeed(name), headHash(head)) }));
    before = head;
  }
}

/** The tree hash by its definition. Source: RFC 9162 section 2.1.1, without the prefixes. */
export function treeHash(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (!only) return Buffer.alloc(32);
  if (leaves.length === 1) return only;
  const split = splitOf(leaves.length);
  return sha256(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

/** Source: RFC 9162 section 2.1.3.1. */
export function inclusionPath(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...inclusionPath(index, left), treeHash(right)] : [...inclusionPath(index - split, right), treeHash(left)];
}

/** Source: RFC 9162 section 2.1.4.1. */
export function consistencyPath(first: number, leaves: readonly Buffer[], isWhole = true): Buffer[] {
  if (first === leaves.length) return isWhole ? [] : [treeHash(leaves)];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return first <= split
    ? [...consistencyPath(first, left, isWhole), treeHash(right)]
    : [...consistencyPath(first - split, right, false), treeHash(left)];
}

/** The largest power of two below a number. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}
