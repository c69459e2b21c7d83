/** The shapes of the wire and of the exported files, parsed once: what comes out of here has the right types and lengths. */
import { bigEndian, canonicalJson, fromBase64, isRecord, isWhole, sha256 } from "./bytes.ts";
import { Fault, type Place } from "./faults.ts";
import { leafHash } from "./trees.ts";

/** `{id, public_key, timestamp, rotation?: {old, new}}`: what a leaf is made of. */
export interface Registration {
  readonly id: string;
  readonly publicKey: Buffer;
  readonly timestampS: number;
  readonly rotation: { readonly old: Buffer; readonly new: Buffer } | null;
  readonly leaf: Buffer;
}

/** A signed tree head. */
export interface Head {
  readonly treeSize: number;
  readonly root: Buffer;
  /** The hash of the head before; null for the first. */
  readonly prevHash: Buffer | null;
  readonly timestampS: number;
  readonly signatures: readonly { readonly cosigner: string; readonly signature: Buffer }[];
  /** SHA-256 of the canonical JSON of the head without its signatures. */
  readonly hash: Buffer;
  readonly isTwoOfThree: boolean;
  /** As it was read, to be kept for the next run. */
  readonly raw: unknown;
}

/** The grammar of an id. */
const ID = /^[A-Za-z0-9:._@%-]{1,255}$/;

/** A registration as it stands in a log: its grammar is checked, not the clock and not whether its key is a point of the curve. */
export function readRegistration(value: unknown, place: Place): Registration {
  const bad = (what: string) => new Fault("bad_registration", what, place);
  if (!isRecord(value)) throw bad("it is no JSON object");
  const { id, public_key, timestamp, rotation } = value;
  if (typeof id !== "string" || !ID.test(id)) throw bad(`the id ${shown(id)} is not 1 to 255 characters of A-Z a-z 0-9 : . _ @ % -`);
  const publicKey = fromBase64(public_key, 32);
  if (!publicKey) throw bad(`the key ${shown(public_key)} is not canonical base64 of 32 bytes`);
  if (!isWhole(timestamp)) throw bad(`the time ${shown(timestamp)} is not a whole number from 0 up to 2^53`);
  const leaf = leafHash(id, publicKey, timestamp);
  if (rotation === undefined || rotation === null) return { id, publicKey, timestampS: timestamp, rotation: null, leaf };
  const [before, after] = isRecord(rotation) ? [fromBase64(rotation.old, 64), fromBase64(rotation.new, 64)] : [null, null];
  if (!before || !after) throw bad("its rotation is not two signatures");
  return { id, publicKey, timestampS: timestamp, rotation: { old: before, new: after }, leaf };
}

/** What the keys of both sides sign when an id changes its key. */
export function rotationMessage(logId: Buffer, currentLeaf: Buffer, newLeaf: Buffer): Buffer {
  return Buffer.concat([Buffer.from("nexus/did-rotate/2"), logId, currentLeaf, newLeaf]);
}

/** A tree head; its hash is over everything that it says but its signatures, known to us or not. */
export function readHead(value: unknown, where: string): Head {
  const size = isRecord(value) && isWhole(value.tree_size) ? { head: value.tree_size } : {};
  const bad = (what: string) => new Fault("unreadable", `${where}: ${what}`, size);
  if (!isRecord(value)) throw bad("a tree head is a JSON object");
  const { tree_size, root, prev_hash, policy, timestamp, signatures } = value;
  if (!isWhole(tree_size)) throw bad(`tree_size ${shown(tree_size)} is no whole number`);
  const rootBytes = fromBase64(root, 32);
  if (!rootBytes) throw bad(`the root ${shown(root)} is not canonical base64 of 32 bytes`);
  const prevHash = prev_hash === "" ? null : fromBase64(prev_hash, 32);
  if (prev_hash !== "" && !prevHash) throw bad(`prev_hash ${shown(prev_hash)} is neither "" nor canonical base64 of 32 bytes`);
  if (!isWhole(timestamp)) throw bad(`the time ${shown(timestamp)} is no whole number`);
  if (!Array.isArray(signatures)) throw bad("it has no list of signatures");
  const unsigned = Object.fromEntries(Object.entries(value).filter(([name]) => name !== "signatures"));
  return {
    treeSize: tree_size,
    root: rootBytes,
    prevHash,
    timestampS: timestamp,
    signatures: signatures.map((one: unknown) => {
      const [cosigner, signature] = isRecord(one) ? [one.cosigner, fromBase64(one.sig, 64)] : [null, null];
      if (typeof cosigner !== "string" || !signature) throw bad("a signature is a cosigner's name and canonical base64 of 64 bytes");
      return { cosigner, signature };
    }),
    hash: sha256(Buffer.from(canonicalJson(unsigned), "utf8")),
    isTwoOfThree: isTwoOfThree(policy),
    raw: value,
  };
}

/** A cosigner's key and the time in which it counts. */
export interface CosignerKey {
  readonly cosigner: string;
  readonly publicKey: Buffer;
  readonly fromS: number;
  readonly untilS: number | null;
  readonly endorsement: Buffer | null;
  readonly operator: string;
  /** The last head before the key ended, if the document names it. */
  readonly endedAt: LastHead | null;
}

/** The size and the hash of the last head under a key. */
export interface LastHead {
  readonly treeSize: number;
  readonly hash: Buffer;
}

/** `GET /.well-known/key-transparency`, or `key-transparency.json` beside exported files. */
export interface KeyDocument {
  readonly logId: Buffer;
  readonly keys: readonly CosignerKey[];
  /** The entries as they were read, to be kept for the next run. */
  readonly rawKeys: readonly unknown[];
}

/** The key document; whether its keys may be believed is `KeyHistory`'s decision. */
export function readKeyDocument(value: unknown): KeyDocument {
  const bad = (what: string) => new Fault("unreadable", `the key document: ${what}`);
  if (!isRecord(value)) throw bad("it is no JSON object");
  if (value.version !== 1) throw bad(`version ${shown(value.version)} is unknown here`);
  const logId = fromBase64(value.log_id, 32);
  if (!logId) throw bad(`log_id ${shown(value.log_id)} is not canonical base64 of 32 bytes`);
  if (!fromBase64(value.log_key, 32)) throw bad(`log_key ${shown(value.log_key)} is not canonical base64 of 32 bytes`);
  if (!isTwoOfThree(value.policy)) throw new Fault("bad_policy", `the key document says ${shown(value.policy)}, not two of three`);
  const keys = value.cosigners;
  if (!Array.isArray(keys)) throw bad("it has no list of cosigners");
  return { logId, keys: keys.map(readCosignerKey), rawKeys: keys };
}

/** One entry of the key document's `cosigners`. */
export function readCosignerKey(value: unknown): CosignerKey {
  const bad = (what: string) => new Fault("unreadable", `a cosigner's key: ${what}`);
  if (!isRecord(value)) throw bad("it is no JSON object");
  const { cosigner, public_key, from, until, endorsement, operator, ended_at } = value;
  if (typeof cosigner !== "string" || cosigner === "") throw bad("it has no name");
  const publicKey = fromBase64(public_key, 32);
  if (!publicKey) throw bad(`${shown(public_key)} is not canonical base64 of 32 bytes`);
  if (!isWhole(from)) throw bad(`its first second ${shown(from)} is no whole number`);
  if (!(until === undefined || until === null || isWhole(until))) throw bad(`its end ${shown(until)} is no whole number`);
  const endorsed = endorsement === undefined || endorsement === null ? null : fromBase64(endorsement, 64);
  if (endorsement !== undefined && endorsement !== null && !endorsed) throw bad("its endorsement is no signature");
  const endedAt = ended_at === undefined || ended_at === null ? null : readLastHead(ended_at);
  if (endedAt === undefined) throw bad(`its last head ${shown(ended_at)} is not a size and a hash`);
  return {
    cosigner,
    publicKey,
    fromS: from,
    untilS: until ?? null,
    endorsement: endorsed,
    operator: typeof operator === "string" ? operator : "unknown",
    endedAt,
  };
}

function readLastHead(value: unknown): LastHead | undefined {
  const [treeSize, hash] = isRecord(value) ? [value.tree_size, fromBase64(value.head, 32)] : [null, null];
  return isWhole(treeSize) && hash ? { treeSize, hash } : undefined;
}

/** What a cosigner's key signs about the key that takes its place. */
export function endorsementMessage(logId: Buffer, key: CosignerKey): Buffer {
  return Buffer.concat([Buffer.from("nexus/cosigner-rotate/1"), logId, Buffer.from(key.cosigner), key.publicKey, bigEndian(key.fromS)]);
}

function isTwoOfThree(policy: unknown): boolean {
  return isRecord(policy) && canonicalJson(policy) === '{"n":3,"t":2}';
}

/** A value as it is quoted in a fault: short, whatever it is. */
export function shown(value: unknown): string {
  const text = value === undefined ? "that is missing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
