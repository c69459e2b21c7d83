/** Whose signatures count: the keys of the three cosigners, each name's one after the other. No I/O. */
import { Fault } from "./faults.ts";
import { VerifyingKey } from "./keys.ts";
import { type CosignerKey, endorsementMessage, type Head, type KeyDocument, type LastHead, shown } from "./wire.ts";

/** How many of the three cosigners must have signed. */
export const THRESHOLD = 2;
const NAMES = ["cosigner_0", "cosigner_1", "cosigner_2"];

/** Every key that ever counted. A head verifies under the keys whose time holds the head's. */
export class KeyHistory {
  readonly keys: readonly CosignerKey[];
  readonly #verifying = new Map<CosignerKey, VerifyingKey>();
  /** The keys that took another's place, each with whether the key before it spoke for it. */
  readonly #successors = new Map<CosignerKey, boolean>();

  /**
   * Throws `bad_policy` for other names than the three, `same_cosigner` if a key stands there twice, `key_changed` if the keys of one
   * name do not follow each other or one has a word that is not its predecessor's.
   */
  constructor({ logId, keys }: KeyDocument) {
    this.keys = keys;
    for (const key of keys) this.#verifying.set(key, verifyingKey(key));
    const names = new Set(keys.map((key) => key.cosigner));
    if (names.size !== NAMES.length || !NAMES.every((name) => names.has(name))) {
      throw new Fault("bad_policy", `the key document names ${shown([...names].sort())}, not ${NAMES.join(", ")}`);
    }
    if (new Set(keys.map((key) => key.publicKey.toString("base64"))).size !== keys.length) {
      throw new Fault("same_cosigner", "two entries of the key document have one key");
    }
    for (const name of NAMES) this.#checkLine(logId, name);
  }

  /** The key of a cosigner that counts for a head. */
  at(cosigner: string, { timestampS, treeSize }: Head): VerifyingKey | undefined {
    const counts = ({ fromS, untilS }: CosignerKey) => fromS <= timestampS && (untilS === null || timestampS < untilS);
    const key = this.keys.find((one) => one.cosigner === cosigner && counts(one));
    if (!key || (key.endedAt && treeSize > key.endedAt.treeSize)) return undefined;
    return this.#verifying.get(key);
  }

  /** The last heads of the keys that ended, smallest first, as far as the document names them. */
  lastHeads(): LastHead[] {
    return this.keys.flatMap((key) => (key.endedAt ? [key.endedAt] : [])).sort((one, other) => one.treeSize - other.treeSize);
  }

  /** Whose word the signatures are. Judged from the keys, not from what the document claims. */
  statement(): string {
    const held = new Map<string, number>();
    for (const key of this.keys.filter((one) => one.untilS === null)) held.set(key.operator, (held.get(key.operator) ?? 0) + 1);
    if ([...held.values()].some((count) => count >= THRESHOLD)) return "single-operator log";
    // Any two quorums of three share a cosigner.
    return held.has("this server") ? "one cosigner is the log's own" : "cosigned by independent operators";
  }

  /** A sentence for each key that only the log itself put in its predecessor's place: no fault for who never saw that one. */
  warnings(): string[] {
    return [...this.#successors]
      .filter(([, isEndorsed]) => !isEndorsed)
      .map(([key]) => `the key of ${key.cosigner} from ${key.fromS} on has no word of the key before it`)
      .map((what) => `${what}; whoever saw the old one is right to be alarmed`);
  }

  /**
   * Throws `key_changed` if a key that was seen before is gone or differs, or if another has come without its predecessor's word. A key
   * that counted may have ended since; one that had ended is as it was.
   */
  mustContinue(seen: readonly CosignerKey[]): void {
    for (const old of seen) {
      if (!this.keys.some((key) => isContinued(old, key))) {
        throw new Fault("key_changed", `the key of ${old.cosigner} from ${old.fromS} on is not the one that was seen before`);
      }
    }
    for (const key of this.keys) {
      if (seen.some((old) => old.cosigner === key.cosigner && old.fromS === key.fromS)) continue;
      if (!this.#successors.get(key)) {
        throw new Fault("key_changed", `the key of ${key.cosigner} from ${key.fromS} on is new and lacks its predecessor's word`);
      }
    }
  }

  #checkLine(logId: Buffer, name: string): void {
    const line = this.keys.filter((key) => key.cosigner === name).sort((one, other) => one.fromS - other.fromS);
    for (const [index, key] of line.entries()) {
      const what = `the key of ${name} from ${key.fromS} on`;
      const [before, next] = [line[index - 1], line[index + 1]];
      if (key.untilS !== null && key.untilS <= key.fromS) throw new Fault("key_changed", `${what} ends before it counts`);
      if (key.untilS !== (next?.fromS ?? null)) {
        throw new Fault("key_changed", `${what} ends ${moment(key.untilS)}, the next one begins ${moment(next?.fromS ?? null)}`);
      }
      if (!next && key.endedAt) throw new Fault("key_changed", `${what} has a last head and no end`);
      const word = key.endorsement;
      if (word && !(before && this.#verifying.get(before)?.verifies(endorsementMessage(logId, key), word))) {
        throw new Fault("key_changed", `${what} has a word that is not that of the key before it`);
      }
      if (before) this.#successors.set(key, word !== null);
    }
  }
}

/** Is an entry the one that was seen before, which may have ended since? */
function isContinued(old: CosignerKey, key: CosignerKey): boolean {
  const isSameKey = key.cosigner === old.cosigner && key.publicKey.equals(old.publicKey);
  if (!isSameKey || key.fromS !== old.fromS || !sameBytes(key.endorsement, old.endorsement)) return false;
  return old.untilS === null || (key.untilS === old.untilS && sameLastHead(key.endedAt, old.endedAt));
}

function sameLastHead(one: LastHead | null, other: LastHead | null): boolean {
  return one?.treeSize === other?.treeSize && sameBytes(one?.hash ?? null, other?.hash ?? null);
}

function moment(timeS: number | null): string {
  return timeS === null ? "never" : `at ${timeS}`;
}

function verifyingKey(key: CosignerKey): VerifyingKey {
  try {
    return new VerifyingKey(key.publicKey);
  } catch (why) {
    throw new Fault("unreadable", `${key.cosigner}: ${why instanceof Error ? why.message : why}`);
  }
}

/** Two hashes or signatures, either of which may be missing. */
export function sameBytes(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}
