/**
 * The judgement of a log: leaves and heads go in, in order; the first fault comes out. No I/O.
 *
 * A head is judged in this order: policy, empty, shrunk, two roots, link, time, the last heads of ended keys, cosigners (twice, unknown,
 * too few), missing leaf, root, signatures.
 */
import { type KeyHistory, sameBytes, THRESHOLD } from "./cosigners.ts";
import { Fault } from "./faults.ts";
import { VerifyingKey } from "./keys.ts";
import { GrowingTree } from "./trees.ts";
import { type Head, type LastHead, type Registration, rotationMessage } from "./wire.ts";

/** One reading of one log, from its first leaf on. */
export class Audit {
  readonly #logId: Buffer;
  readonly #keys: KeyHistory;
  readonly #tree = new GrowingTree();
  /** The keys of each id, newest first, the current one with its leaf. */
  readonly #ids = new Map<string, { readonly current: Registration; readonly left: readonly string[] }>();
  #head: Head | null = null;
  /** The last heads of ended keys that the chain has not shown yet, smallest first. */
  #awaited: readonly LastHead[];

  constructor(logId: Buffer, keys: KeyHistory) {
    this.#logId = logId;
    this.#keys = keys;
    this.#awaited = keys.lastHeads();
  }

  get leaves(): number {
    return this.#tree.size;
  }

  /** The last head that was judged good. */
  get head(): Head | null {
    return this.#head;
  }

  /** How many ids have a leaf. */
  get users(): number {
    return this.#ids.size;
  }

  /** The root over the leaves so far. */
  root(): Buffer {
    return this.#tree.root();
  }

  /** The next leaf. */
  leaf(registration: Registration): void {
    const known = this.#ids.get(registration.id);
    if (known) this.#checkRotation(registration, known.current, known.left);
    const left = known ? [...known.left, known.current.publicKey.toString("base64")] : [];
    this.#ids.set(registration.id, { current: registration, left });
    this.#tree.append(registration.leaf);
  }

  /** The next head, when all its leaves have been given; everything but its Ed25519 signatures, which are `signatures`' work. */
  next(head: Head): void {
    checkShape(head);
    checkFollows(head, this.#head);
    this.#checkPassed(head.treeSize);
    checkCosigners(head, this.#keys);
    const place = { head: head.treeSize };
    if (this.#tree.size < head.treeSize) {
      throw new Fault("missing_leaf", `it is over ${head.treeSize} leaves, the log shows ${this.#tree.size}`, {
        leaf: this.#tree.size,
        ...place,
      });
    }
    if (!this.#tree.root().equals(head.root)) {
      const roots = `${head.root.toString("base64")}, the leaves give ${this.#tree.root().toString("base64")}`;
      throw new Fault("root_mismatch", `its root is ${roots}`, place);
    }
    this.#head = head;
    if (this.#awaited[0]?.treeSize === head.treeSize) {
      this.#awaited = this.#awaited.filter((last) => last.treeSize !== head.treeSize || !last.hash.equals(head.hash));
    }
  }

  /** When there is no further head: has the chain shown the last head of every key that ended? */
  finish(): void {
    const size = this.#head?.treeSize ?? 0;
    this.#checkPassed(size + 1);
    const [last] = this.#awaited;
    if (last) throw new Fault("rollback", `a cosigner's key ended after the head over ${last.treeSize} leaves`, { head: size });
  }

  #checkPassed(size: number): void {
    const [last] = this.#awaited;
    if (!last || last.treeSize >= size) return;
    const what = `the last head of a cosigner's key that ended is ${last.hash.toString("base64")}, the log shows none such`;
    throw new Fault("split_view", what, { head: last.treeSize });
  }

  #checkRotation(next: Registration, current: Registration, left: readonly string[]): void {
    const place = { leaf: this.#tree.size };
    if (next.publicKey.equals(current.publicKey)) throw new Fault("duplicate_leaf", `${next.id} has that key already`, place);
    if (left.includes(next.publicKey.toString("base64"))) throw new Fault("key_returned", `${next.id} had that key and left it`, place);
    if (!next.rotation) throw new Fault("rotation_missing", `${next.id} has another key, which did not agree`, place);
    if (next.timestampS <= current.timestampS) {
      throw new Fault("rotation_not_later", `${next.timestampS} is not after ${current.timestampS}, the time of the leaf before`, place);
    }
    const message = rotationMessage(this.#logId, current.leaf, next.leaf);
    const sides = [
      { whose: "the key it leaves", key: current.publicKey, signature: next.rotation.old },
      { whose: "the key it takes", key: next.publicKey, signature: next.rotation.new },
    ];
    for (const { whose, key, signature } of sides) {
      if (!signed(key, message, signature)) throw new Fault("rotation_invalid", `${next.id}: ${whose} did not sign this change`, place);
    }
  }
}

/** Is a head two of three, and over something? */
export function checkShape(head: Head): void {
  const place = { head: head.treeSize };
  if (!head.isTwoOfThree) throw new Fault("bad_policy", "its policy is not two of three", place);
  if (head.treeSize === 0) throw new Fault("empty_head", "the empty tree is never published", place);
}

/** Does a head follow the one before it, or begin the log? */
export function checkFollows(head: Head, before: Head | null): void {
  const place = { head: head.treeSize };
  if (before && head.treeSize < before.treeSize) throw new Fault("shrunk", `the head before it is over ${before.treeSize}`, place);
  if (before && head.treeSize === before.treeSize && !head.root.equals(before.root)) {
    throw new Fault("two_roots", `${head.root.toString("base64")} and ${before.root.toString("base64")}`, place);
  }
  if (!sameBytes(head.prevHash, before?.hash ?? null)) {
    const [said, is] = [head.prevHash, before?.hash].map((hash) => (hash ? hash.toString("base64") : "no head"));
    throw new Fault("broken_link", `it links to ${said}, the head before it is ${is}`, place);
  }
  if (before && head.timestampS < before.timestampS) {
    throw new Fault("time_went_back", `${head.timestampS} is before ${before.timestampS}, the time of the head before it`, place);
  }
}

/** Are those who signed different cosigners of that time, and enough? */
export function checkCosigners(head: Head, keys: KeyHistory): void {
  const place = { head: head.treeSize };
  const names = head.signatures.map((one) => one.cosigner);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Fault("same_cosigner", `${twice} signed twice`, place);
  const unknown = names.find((name) => !keys.at(name, head));
  if (unknown !== undefined)
    throw new Fault("unknown_cosigner", `${unknown} had no key that counts at ${head.timestampS} over ${head.treeSize} leaves`, place);
  if (names.length < THRESHOLD) {
    throw new Fault("too_few_signatures", `${names.length} of the ${THRESHOLD} that it needs`, place);
  }
}

/** Is every signature good? Not only enough of them: a bad one is somebody's fault and has to be seen. */
export function checkSignatures(head: Head, keys: KeyHistory): void {
  for (const { cosigner, signature } of head.signatures) {
    if (!keys.at(cosigner, head)?.verifies(head.hash, signature)) {
      throw new Fault("bad_signature", `${cosigner} did not sign it`, { head: head.treeSize });
    }
  }
}

/** A single head by itself: everything that needs neither its neighbours nor its leaves. */
export function checkAlone(head: Head, keys: KeyHistory): void {
  checkShape(head);
  checkCosigners(head, keys);
  checkSignatures(head, keys);
}

/** Is the log that shows `latest` still the one that showed `seen`? A log that grew needs a consistency proof besides. */
export function checkSince(seen: Head, latest: Head): void {
  const place = { head: latest.treeSize };
  if (latest.treeSize < seen.treeSize) throw new Fault("rollback", `a head over ${seen.treeSize} leaves was seen before`, place);
  if (latest.treeSize === seen.treeSize && !latest.hash.equals(seen.hash)) {
    throw new Fault("split_view", "another head of that size was seen before", place);
  }
}

function signed(key: Buffer, message: Buffer, signature: Buffer): boolean {
  try {
    return new VerifyingKey(key).verifies(message, signature);
  } catch {
    return false;
  }
}
