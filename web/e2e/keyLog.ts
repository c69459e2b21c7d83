/**
 * A key log of its own, written from the contract's words and not from our Rust: what the browser's verifier is tried against without a
 * server, and what makes signatures where a test plays a dishonest operator.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";

export interface Rotation {
  old: string;
  new: string;
}

export interface Leaf {
  leaf_index: number;
  id: string;
  public_key: string;
  timestamp: number;
  rotation?: Rotation;
}

export interface Head {
  tree_size: number;
  root: string;
  prev_hash: string;
  policy: { t: number; n: number };
  timestamp: number;
  signatures: { cosigner: string; sig: string }[];
}

/** An Ed25519 key pair from a seed. */
export class Pair {
  readonly secret: KeyObject;
  readonly publicKey: Buffer;

  constructor(seed: Buffer) {
    const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
    this.secret = createPrivateKey({ key: Buffer.concat([prefix, seed]), format: "der", type: "pkcs8" });
    this.publicKey = createPublicKey(this.secret).export({ format: "der", type: "spki" }).subarray(-32);
  }

  static named(name: string): Pair {
    return new Pair(sha256(Buffer.from(name)));
  }

  sign(message: Buffer): string {
    return sign(null, message, this.secret).toString("base64");
  }

  get text(): string {
    return this.publicKey.toString("base64");
  }
}

export function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function leafHash(leaf: Pick<Leaf, "id" | "public_key" | "timestamp">): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(BigInt(leaf.timestamp));
  return sha256(Buffer.from(leaf.id), Buffer.from(leaf.public_key, "base64"), time);
}

/** The canonical JSON of a head without its signatures, hashed. */
export function headHash({ policy, prev_hash, root, timestamp, tree_size }: Head): Buffer {
  const { n, t } = policy;
  return sha256(Buffer.from(JSON.stringify({ policy: { n, t }, prev_hash, root, timestamp, tree_size })));
}

/** What both keys sign when an id changes its key. */
export function rotationMessage(logId: string, current: Leaf, next: Leaf): Buffer {
  return Buffer.concat([Buffer.from("nexus/did-rotate/2"), Buffer.from(logId, "base64"), leafHash(current), leafHash(next)]);
}

/** The largest power of two below. */
function split(count: number): number {
  return 2 ** Math.ceil(Math.log2(count) - 1);
}

export class KeyLog {
  readonly logId: string;
  readonly cosigners: Pair[];
  readonly operators: string[];
  readonly leaves: Leaf[] = [];
  readonly heads: Head[] = [];
  readonly #edge: { height: number; hash: Buffer }[] = [];
  readonly #nodes = new Map<string, Buffer>();
  readonly #started: number;

  constructor(name = "log", started = 1_767_225_600, operators = ["this server", "this server", "this server"]) {
    this.logId = sha256(Buffer.from(name)).toString("base64");
    this.cosigners = [0, 1, 2].map((number) => Pair.named(`${name} cosigner ${number}`));
    this.operators = operators;
    this.#started = started;
  }

  get document() {
    const operators = [...new Set(this.operators)];
    const single = operators.some((operator) => this.operators.filter((other) => other === operator).length >= 2);
    return {
      version: 1,
      log_id: this.logId,
      log_key: Pair.named("log key").text,
      policy: { t: 2, n: 3 },
      cosigners: this.cosigners.map((pair, number) => ({
        cosigner: `cosigner_${number}`,
        public_key: pair.text,
        from: 0,
        until: null as number | null,
        endorsement: null as string | null,
        operator: this.operators[number] ?? "",
        url: null as string | null,
      })),
      operators,
      single_operator: single,
      statement: single ? "single-operator log" : "cosigned by independent operators",
    };
  }

  get latest(): Head | undefined {
    return this.heads.at(-1);
  }

  current(id: string): Leaf | undefined {
    return this.leaves.findLast((leaf) => leaf.id === id);
  }

  /** Publishes a leaf and its head. */
  register(
    id: string,
    key: { readonly text: string },
    timestamp: number,
    rotation?: Rotation,
    signers: readonly number[] = [0, 1, 2],
  ): Head {
    const leaf: Leaf = { leaf_index: this.leaves.length, id, public_key: key.text, timestamp, ...(rotation ? { rotation } : {}) };
    this.leaves.push(leaf);
    this.#append(leafHash(leaf));
    const root = this.#edge.reduceRight<Buffer | null>((right, { hash }) => (right ? sha256(hash, right) : hash), null);
    const before = this.latest;
    const head: Head = {
      tree_size: this.leaves.length,
      root: (root ?? Buffer.alloc(32)).toString("base64"),
      prev_hash: before ? headHash(before).toString("base64") : "",
      policy: { t: 2, n: 3 },
      timestamp,
      signatures: [],
    };
    this.heads.push(this.sign(head, signers));
    return head;
  }

  /** Changes an id's key as both keys agree. */
  rotate(id: string, from: Pair, to: Pair, timestamp: number): Head {
    const current = this.current(id);
    if (!current) throw new Error(`${id} is not in the log.`);
    const next: Leaf = { leaf_index: this.leaves.length, id, public_key: to.text, timestamp };
    const message = rotationMessage(this.logId, current, next);
    return this.register(id, to, timestamp, { old: from.sign(message), new: to.sign(message) });
  }

  /** Fills it with people who register one after the other. */
  grow(count: number, signers: readonly number[] = [0, 1, 2]): void {
    const first = this.leaves.length;
    for (let index = first; index < first + count; index++) {
      // A key of which nobody needs the secret half, and which no verifier has to find on the curve.
      const key = { text: sha256(Buffer.from(`key ${index}`)).toString("base64") };
      this.register(`did:example:${index}`, key, this.#started + index * 60, undefined, signers);
    }
  }

  sign(head: Head, signers: readonly number[]): Head {
    const hash = headHash(head);
    head.signatures = signers.map((number) => ({ cosigner: `cosigner_${number}`, sig: this.cosigners[number]?.sign(hash) ?? "" }));
    return head;
  }

  inclusion(index: number, size: number) {
    const path: string[] = [];
    const descend = (start: number, count: number): void => {
      if (count === 1) return;
      const left = split(count);
      if (index - start < left) {
        descend(start, left);
        path.push(this.#rootOf(start + left, count - left).toString("base64"));
      } else {
        descend(start + left, count - left);
        path.push(this.#rootOf(start, left).toString("base64"));
      }
    };
    descend(0, size);
    const leaf = this.leaves[index];
    return { leaf_index: index, tree_size: size, leaf_hash: leaf ? leafHash(leaf).toString("base64") : "", path };
  }

  /** Answers a GET of the contract, or nothing. */
  answer(url: URL): { status: number; body: unknown } | undefined {
    const number = (name: string, fallback: number) => Number(url.searchParams.get(name) ?? fallback);
    const ok = (body: unknown) => ({ status: 200, body });
    const path = url.pathname;
    if (path === "/.well-known/key-transparency") return ok(this.document);
    if (path === "/sth/latest") return this.latest ? ok(this.latest) : { status: 404, body: { detail: "No STH found" } };
    if (path === "/sth/chain") {
      const end = Math.min(number("before", this.heads.length + 1) - 1, this.heads.length);
      return ok(this.heads.slice(Math.max(0, end - number("limit", 10)), end).reverse());
    }
    if (path === "/did/leaves") {
      const from = number("from", 0);
      return ok(this.leaves.slice(from, from + number("limit", 100)));
    }
    if (path === "/sth/proof/inclusion") return ok(this.inclusion(number("leaf_index", 0), number("tree_size", 0)));
    if (path === "/sth/cosigners") {
      const last = this.latest;
      return ok(
        this.document.cosigners.map(({ cosigner, public_key, operator, url: address }) => ({
          cosigner,
          public_key,
          operator,
          url: address,
          state: "healthy",
          signed_size: last?.tree_size ?? null,
          last_signed: last?.timestamp ?? null,
          error: null,
        })),
      );
    }
    if (path === "/sth/growth") {
      const hours = new Map<number, number>();
      for (const leaf of this.leaves) {
        const start = leaf.timestamp - (leaf.timestamp % 3600);
        hours.set(start, (hours.get(start) ?? 0) + 1);
      }
      return ok([...hours].map(([start, registrations]) => ({ start, registrations })));
    }
    const history = /^\/did\/([^/]+)\/history$/.exec(path)?.[1];
    if (history) return ok(this.leaves.filter((leaf) => leaf.id === decodeURIComponent(history)));
    const one = /^\/did\/([^/]+)$/.exec(path)?.[1];
    if (one) {
      const leaf = this.current(decodeURIComponent(one));
      return leaf ? ok(leaf) : { status: 404, body: { detail: "This id is not registered" } };
    }
    return undefined;
  }

  #append(hash: Buffer): void {
    const index = this.leaves.length - 1;
    let node = { height: 0, hash };
    this.#nodes.set(`0 ${index}`, hash);
    while (this.#edge.at(-1)?.height === node.height) {
      const left = this.#edge.pop();
      if (!left) break;
      node = { height: node.height + 1, hash: sha256(left.hash, node.hash) };
      this.#nodes.set(`${node.height} ${Math.floor(index / 2 ** node.height)}`, node.hash);
    }
    this.#edge.push(node);
  }

  #rootOf(start: number, count: number): Buffer {
    const height = Math.log2(count);
    const whole = Number.isInteger(height) ? this.#nodes.get(`${height} ${start / count}`) : undefined;
    if (whole) return whole;
    const left = split(count);
    return sha256(this.#rootOf(start, left), this.#rootOf(start + left, count - left));
  }
}
