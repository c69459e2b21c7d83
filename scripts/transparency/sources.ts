/** Where a log is read from: a server, or a directory with exported files. Both stream; neither judges more than it must to read. */
import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fromBase64, isRecord } from "./bytes.ts";
import { Fault } from "./faults.ts";
import type { Http } from "./http.ts";
import { type Head, type KeyDocument, type Registration, readHead, readKeyDocument, readRegistration } from "./wire.ts";

/** The largest page that the contract knows. */
const PAGE = 1_000;

/** A log that can be read from its first leaf to the head that it was pinned to. */
export interface Source {
  document(): Promise<KeyDocument>;
  leaves(): AsyncGenerator<Registration>;
  heads(): AsyncGenerator<Head>;
}

/** The newest head of a server, null for an empty log. Throws `stale_head` if the server itself shows a newer one. */
export async function latestOf(http: Http): Promise<Head | null> {
  // In this order: a log that grows in between has a newer latest head, never an older one.
  const newest = (await chainPage(http, "limit=1"))[0] ?? null;
  const latest = await readLatest(http);
  if (newest && (!latest || latest.treeSize < newest.treeSize)) {
    const shows = latest ? `a head over ${latest.treeSize}` : "none";
    throw new Fault("stale_head", `/sth/chain begins with this head, /sth/latest shows ${shows}`, { head: newest.treeSize });
  }
  if (newest && latest && latest.treeSize === newest.treeSize && !latest.hash.equals(newest.hash)) {
    throw new Fault("two_roots", "/sth/latest and /sth/chain show two heads of one size", { head: latest.treeSize });
  }
  const [beyond] = await leafPage(http, latest?.treeSize ?? 0, 1);
  if (beyond) await mustCover(http, latest?.treeSize ?? 0);
  return latest;
}

async function mustCover(http: Http, leaf: number): Promise<void> {
  const newer = await readLatest(http);
  if (!newer || newer.treeSize <= leaf) throw new Fault("stale_head", "the log shows a leaf that no head is over", { leaf });
}

/** A server's log up to a head, or an empty one. */
export class ServerLog implements Source {
  readonly #http: Http;
  readonly #latest: Head | null;
  readonly #size: number;

  constructor(http: Http, latest: Head | null) {
    this.#http = http;
    this.#latest = latest;
    this.#size = latest?.treeSize ?? 0;
  }

  document(): Promise<KeyDocument> {
    return documentOf(this.#http);
  }

  async *leaves(): AsyncGenerator<Registration> {
    for (let from = 0; from < this.#size; ) {
      const page = await leafPage(this.#http, from, Math.min(PAGE, this.#size - from));
      if (page.length === 0) return;
      yield* page;
      from += page.length;
    }
  }

  /** Oldest first. The chain is paged newest first; a window of as many sizes as a page has entries fits one page. */
  async *heads(): AsyncGenerator<Head> {
    let last: Head | null = null;
    for (let from = 0; from < this.#size; from += PAGE) {
      const before = Math.min(from + PAGE, this.#size) + 1;
      const page = await chainPage(this.#http, `limit=${PAGE}&before=${before}`);
      // Older heads fill the page where there is not one for each leaf; only those at its old end were read already.
      while (from > 0 && (page.at(-1)?.treeSize ?? Number.POSITIVE_INFINITY) <= from) page.pop();
      last = page[0] ?? last;
      yield* page.reverse();
    }
    if (this.#latest && !last?.hash.equals(this.#latest.hash)) {
      throw new Fault("stale_head", "/sth/chain does not lead to this head, which /sth/latest shows", { head: this.#size });
    }
  }
}

/** `users.jsonl`, `sth.jsonl` and `key-transparency.json`. */
export class ExportedLog implements Source {
  readonly #folder: string;
  readonly #pinned: KeyDocument | null;

  /** A pinned key document stands in where the directory has none. */
  constructor(folder: string, pinned: KeyDocument | null) {
    this.#folder = folder;
    this.#pinned = pinned;
  }

  document(): Promise<KeyDocument> {
    const own = join(this.#folder, "key-transparency.json");
    return this.#pinned && !existsSync(own) ? Promise.resolve(this.#pinned) : documentIn(own);
  }

  async *leaves(): AsyncGenerator<Registration> {
    let leaf = 0;
    for await (const value of jsonLines(join(this.#folder, "users.jsonl"))) yield readRegistration(value, { leaf: leaf++ });
  }

  async *heads(): AsyncGenerator<Head> {
    let line = 0;
    for await (const value of jsonLines(join(this.#folder, "sth.jsonl"))) yield readHead(value, `sth.jsonl, line ${++line}`);
  }
}

/** The key document of a server. */
export async function documentOf(http: Http): Promise<KeyDocument> {
  return readKeyDocument(await http.json("/.well-known/key-transparency"));
}

/** The key document in a file. */
export async function documentIn(path: string): Promise<KeyDocument> {
  const text = await readFile(path, "utf8").catch((why: Error) => {
    throw new Fault("unreadable", why.message);
  });
  return readKeyDocument(json(path, text));
}

/** The proof that a leaf stands at an index of the tree of a size. */
export async function inclusionOf(http: Http, index: number, size: number): Promise<{ leaf: Buffer; path: Buffer[] }> {
  const body = await http.json(`/sth/proof/inclusion?leaf_index=${index}&tree_size=${size}`);
  const bad = (what: string) => new Fault("bad_inclusion", what, { leaf: index, head: size });
  if (!isRecord(body) || body.leaf_index !== index || body.tree_size !== size) throw bad("the proof is about another leaf or size");
  const leaf = fromBase64(body.leaf_hash, 32);
  if (!leaf) throw bad("the proof names no leaf");
  return { leaf, path: readPath(body.path, bad) };
}

/** The proof that the tree of one size begins with the tree of another. */
export async function consistencyOf(http: Http, first: number, second: number): Promise<Buffer[]> {
  const body = await http.json(`/sth/proof/consistency?first=${first}&second=${second}`);
  const bad = (what: string) => new Fault("split_view", what, { head: second });
  if (!isRecord(body) || body.first !== first || body.second !== second) throw bad("the proof is about other sizes");
  return readPath(body.path, bad);
}

async function readLatest(http: Http): Promise<Head | null> {
  const { status, body } = await http.request("GET", "/sth/latest");
  if (status === 200) return readHead(body, "/sth/latest");
  if (status === 404 && isRecord(body) && body.detail === "No STH found") return null;
  throw new Fault("unreadable", `GET /sth/latest answered ${status} ${JSON.stringify(body).slice(0, 200)}`);
}

async function chainPage(http: Http, query: string): Promise<Head[]> {
  const body = await http.json(`/sth/chain?${query}`);
  if (!Array.isArray(body)) throw new Fault("unreadable", "/sth/chain answered no list");
  return body.map((one: unknown) => readHead(one, "/sth/chain"));
}

async function leafPage(http: Http, from: number, limit: number): Promise<Registration[]> {
  const body = await http.json(`/did/leaves?from=${from}&limit=${limit}`);
  if (!Array.isArray(body)) throw new Fault("unreadable", "/did/leaves answered no list");
  return body.slice(0, limit).map((one: unknown, offset) => {
    const leaf = from + offset;
    if (isRecord(one) && one.leaf_index !== leaf) {
      throw new Fault("missing_leaf", `the log shows leaf ${JSON.stringify(one.leaf_index)} in its place`, { leaf });
    }
    return readRegistration(one, { leaf });
  });
}

function readPath(value: unknown, bad: (what: string) => Fault): Buffer[] {
  if (!Array.isArray(value)) throw bad("the proof has no path");
  return value.map((one: unknown) => {
    const hash = fromBase64(one, 32);
    if (!hash) throw bad("a step of the path is not canonical base64 of 32 bytes");
    return hash;
  });
}

async function* jsonLines(path: string): AsyncGenerator<unknown> {
  let line = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      yield json(`${path}, line ${line}`, text);
    }
  } catch (why) {
    if (why instanceof Fault) throw why;
    throw new Fault("unreadable", why instanceof Error ? why.message : String(why));
  }
}

function json(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("unreadable", `${what} is no JSON`);
  }
}
