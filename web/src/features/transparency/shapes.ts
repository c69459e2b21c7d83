/** What the log answers, and what an audit reports. */
import type { Fault } from "./faults.ts";

export interface Head {
  readonly tree_size: number;
  readonly root: string;
  readonly prev_hash: string;
  readonly timestamp: number;
  readonly signatures: readonly { readonly cosigner: string; readonly sig: string }[];
}

export interface ListedKey {
  readonly cosigner: string;
  readonly public_key: string;
  readonly from: number;
  readonly until: number | null;
  readonly endorsement: string | null;
  readonly operator: string;
  readonly url: string | null;
}

/** `GET /.well-known/key-transparency`. */
export interface KeyDocument {
  readonly log_id: string;
  readonly cosigners: readonly ListedKey[];
  readonly operators: readonly string[];
  readonly single_operator: boolean;
  readonly statement: string;
}

/** What this browser remembers of a log that it found good. */
export interface Seen {
  readonly document: KeyDocument;
  readonly head: Head;
  /** When it was first and last found good, in milliseconds. */
  readonly first: number;
  readonly last: number;
}

export interface Entry {
  readonly index: number;
  readonly id: string;
  readonly public_key: string;
  readonly timestamp: number;
  readonly rotated: boolean;
  readonly hash: string;
}

/** How good a signature of the latest head is. */
export interface Signer {
  readonly cosigner: string;
  readonly known: boolean;
  readonly valid: boolean;
}

/** Who signed one of the newest heads. */
export interface Signed {
  readonly tree_size: number;
  readonly timestamp: number;
  readonly cosigners: readonly string[];
}

export interface Progress {
  readonly phase: "asking" | "entries" | "signatures";
  readonly size: number;
  readonly leaves: number;
  readonly signatures: number;
  readonly signaturesAll: number;
  readonly bytes: number;
}

/** What came out of an audit. */
export interface Report {
  readonly verdict: "consistent" | "empty" | "fault" | "cancelled";
  readonly fault: Fault | null;
  readonly document: KeyDocument | null;
  readonly latest: Head | null;
  readonly seen: Seen | null;
  readonly signers: readonly Signer[];
  readonly newest: readonly Signed[];
  readonly leaves: number;
  readonly heads: number;
  readonly ids: number;
  readonly root: string;
  readonly signaturesChecked: number;
  readonly bytes: number;
  readonly tookMs: number;
  /** When it ended, in milliseconds. */
  readonly at: number;
}

/** A proven entry. */
export interface Proven {
  readonly index: number;
  readonly hash: string;
  readonly path: readonly string[];
}

/** What an id's page shows: its entries, oldest first, and the proof of the last. */
export interface Lookup {
  readonly entries: readonly Entry[];
  readonly proof: Proven;
}
