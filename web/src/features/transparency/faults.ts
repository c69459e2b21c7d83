/** What can be wrong with a log. The words are those of `nexus_crypto::audits::FaultCode`, the same in every implementation. */

export const FAULT_CODES = [
  "bad_registration",
  "rotation_missing",
  "rotation_invalid",
  "rotation_not_later",
  "key_returned",
  "duplicate_leaf",
  "missing_leaf",
  "root_mismatch",
  "bad_policy",
  "empty_head",
  "same_cosigner",
  "unknown_cosigner",
  "bad_signature",
  "too_few_signatures",
  "broken_link",
  "shrunk",
  "two_roots",
  "time_went_back",
  "stale_head",
  "rollback",
  "split_view",
  "bad_inclusion",
  "wrong_log",
  "key_changed",
  "unreadable",
  "unreachable",
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

export interface Fault {
  readonly code: FaultCode;
  readonly leaf_index: number | null;
  readonly tree_size: number | null;
  /** A sentence, in English, for those who look closer. */
  readonly detail: string;
}

/** A fault on its way up. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(`${fault.code}: ${fault.detail}`);
    this.fault = fault;
  }
}

export function fault(code: FaultCode, detail: string, place: Partial<Pick<Fault, "leaf_index" | "tree_size">> = {}): FaultError {
  return new FaultError({ code, leaf_index: null, tree_size: null, ...place, detail });
}

/** Runs something of the WebAssembly, which throws faults as JSON. */
export function judged<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (typeof thrown === "string") throw new FaultError(JSON.parse(thrown) as Fault);
    throw thrown;
  }
}

/** Faults that only what this browser remembers can show: the log may look perfect to others. */
export function isAgainstMemory(code: FaultCode): boolean {
  return code === "rollback" || code === "split_view" || code === "wrong_log" || code === "key_changed";
}
