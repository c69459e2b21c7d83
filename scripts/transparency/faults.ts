/**
 * What can be wrong with a log, in the words that every verifier of this project uses: the server, the browser, these scripts and
 * the Python auditor.
 */

export type FaultCode =
  | "bad_registration"
  | "rotation_missing"
  | "rotation_invalid"
  | "rotation_not_later"
  | "key_returned"
  | "duplicate_leaf"
  | "missing_leaf"
  | "root_mismatch"
  | "bad_policy"
  | "empty_head"
  | "same_cosigner"
  | "unknown_cosigner"
  | "bad_signature"
  | "too_few_signatures"
  | "broken_link"
  | "shrunk"
  | "two_roots"
  | "time_went_back"
  | "stale_head"
  | "rollback"
  | "split_view"
  | "bad_inclusion"
  | "wrong_log"
  | "key_changed"
  | "unreadable"
  | "unreachable";

/** Where the fault is: the leaf's index, the head's size, or neither. */
export interface Place {
  readonly leaf?: number;
  readonly head?: number;
}

/** The first thing that is wrong; nothing after it was looked at. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly place: Place;

  constructor(code: FaultCode, detail: string, place: Place = {}) {
    super(detail);
    this.name = "Fault";
    this.code = code;
    this.place = place;
  }

  /** `broken_link at head 7: it links to …`, as the scripts print it. */
  describe(): string {
    const at = [
      this.place.leaf === undefined ? [] : [`leaf ${this.place.leaf}`],
      this.place.head === undefined ? [] : [`head ${this.place.head}`],
    ].flat();
    return `${this.code}${at.length > 0 ? ` at ${at.join(", ")}` : ""}: ${this.message}`;
  }
}
