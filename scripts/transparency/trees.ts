/**
 * The carry-last tree: a node is SHA-256 of its two children, an odd last node is carried up unchanged. That is the shape of RFC 6962, so
 * the proofs of RFC 9162 hold with this hashing.
 *
 * Leaves and nodes are hashed without a prefix. A proof therefore counts only together with the leaf's index **and** the signed size of
 * the tree, which fix the length of the path: else an inner node could pass as a leaf.
 */
import { bigEndian, sha256 } from "./bytes.ts";

/** `SHA-256(id as UTF-8 ‖ public key, 32 bytes ‖ timestamp, 8 bytes big-endian)`. */
export function leafHash(id: string, publicKey: Uint8Array, timestampS: number): Buffer {
  return sha256(Buffer.from(id, "utf8"), publicKey, bigEndian(timestampS));
}

/** `SHA-256(left ‖ right)`. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(left, right);
}

/** A tree that only grows: it keeps the roots of its complete subtrees, largest first, as many as the size has one bits. */
export class GrowingTree {
  #size = 0;
  readonly #peaks: Buffer[] = [];

  get size(): number {
    return this.#size;
  }

  append(leaf: Buffer): void {
    let carried = leaf;
    for (let size = this.#size; size % 2 === 1; size = Math.floor(size / 2)) {
      const left = this.#peaks.pop();
      if (!left) throw new Error("a tree has a peak for each one bit of its size");
      carried = nodeHash(left, carried);
    }
    this.#peaks.push(carried);
    this.#size += 1;
  }

  /** The root; 32 zero bytes for the empty tree, which is never published. */
  root(): Buffer {
    const right = this.#peaks.at(-1);
    if (!right) return Buffer.alloc(32);
    return this.#peaks.slice(0, -1).reduceRight((under, peak) => nodeHash(peak, under), right);
  }
}

/** A claim that a leaf stands at an index of the tree of a signed size and root. */
export interface InclusionClaim {
  readonly leaf: Buffer;
  readonly index: number;
  readonly size: number;
  readonly root: Buffer;
  readonly path: readonly Buffer[];
}

/** RFC 9162 section 2.1.3.2, step by step; numbers below 2⁵³, so halves instead of shifts. */
export function verifiesInclusion({ leaf, index, size, root, path }: InclusionClaim): boolean {
  if (index >= size) return false;
  let [fn, sn, r] = [index, size - 1, leaf];
  for (const p of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      r = nodeHash(r, p);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && r.equals(root);
}

/** A claim that the tree of the second head begins with the tree of the first. */
export interface ConsistencyClaim {
  readonly first: number;
  readonly second: number;
  readonly firstRoot: Buffer;
  readonly secondRoot: Buffer;
  readonly path: readonly Buffer[];
}

/** RFC 9162 section 2.1.4.2; equal sizes need equal roots and no path. */
export function verifiesConsistency({ first, second, firstRoot, secondRoot, path }: ConsistencyClaim): boolean {
  if (first < 1 || first > second) return false;
  if (first === second) return path.length === 0 && firstRoot.equals(secondRoot);
  const full = isPowerOfTwo(first) ? [firstRoot, ...path] : [...path];
  const start = full.shift();
  if (!start || path.length === 0) return false;
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [fr, sr] = [start, start];
  for (const c of full) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && fr.equals(firstRoot) && sr.equals(secondRoot);
}

function isPowerOfTwo(value: number): boolean {
  return (BigInt(value) & BigInt(value - 1)) === 0n;
}
