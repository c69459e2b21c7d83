/**
 * Fetches a whole log and has it judged: every entry, every tree head, every link and root, signatures of the newest heads or of all.
 * It knows no worker and no page; the judging is the WebAssembly's.
 */
import type { Audit } from "../../../generated/nexus_wasm.js";
import { FaultError, fault, judged } from "./faults.ts";
import type { Head, KeyDocument, Progress, Report, Seen } from "./shapes.ts";

/** The contract's largest page. */
export const PAGE = 1_000;
/** Signatures are checked of so many of the newest heads; the older ones are bound to these by their hashes. */
export const SIGNATURES_DEFAULT = 10_000;
/** So many heads are checked before somebody else may have a turn. */
const SIGNATURES_STEP = 50;
/** A log that grows while it is read is followed for so many rounds. */
const ROUNDS_MAX = 20;
const ALL = 0xffff_ffff;

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface AuditInput {
  readonly begin: typeof Audit.begin;
  /** Answers any GET of the log, or throws a fault. */
  readonly get: (path: string) => Promise<Answer>;
  readonly seen: Seen | null;
  readonly everySignature: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
  /** Lets messages in between two pieces of work. */
  readonly rest: () => Promise<void>;
}

/** What an audit leaves behind. */
export interface Outcome {
  readonly report: Report;
  /** Everything that was taken in, for questions. */
  readonly audit: Audit | null;
  /** The answers that were judged last, for who wants to show what is wrong. */
  readonly evidence: Map<string, Uint8Array>;
}

export async function runAudit(input: AuditInput): Promise<Outcome> {
  const run = new Run(input);
  const started = performance.now();
  let verdict: Report["verdict"] = "consistent";
  let found: Report["fault"] = null;
  try {
    if (!(await run.whole())) verdict = "empty";
  } catch (thrown) {
    if (input.signal.aborted) verdict = "cancelled";
    else if (thrown instanceof FaultError) [verdict, found] = ["fault", thrown.fault];
    else throw thrown;
  }
  return { report: run.report(verdict, found, performance.now() - started), audit: run.audit, evidence: run.evidence };
}

class Run {
  readonly #input: AuditInput;
  readonly evidence = new Map<string, Uint8Array>();
  audit: Audit | null = null;
  #document: KeyDocument | null = null;
  #latest: Head | null = null;
  #bytes = 0;
  #checked = 0;

  constructor(input: AuditInput) {
    this.#input = input;
  }

  /** Throws a fault, or says whether there was anything to judge. */
  async whole(): Promise<boolean> {
    const { begin, everySignature, seen } = this.#input;
    this.#tell("asking", 0);
    const document = await this.#found("/.well-known/key-transparency");
    const audit = judged(() => begin(document, everySignature ? ALL : SIGNATURES_DEFAULT));
    this.audit = audit;
    this.#document = json<KeyDocument>(document);
    if (seen) judged(() => audit.goes_on_from(bytes(seen.document)));
    let target = await this.#takeLatest(audit);
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await this.#entries(audit, target);
      const more = await this.#grown(audit, target);
      if (more === target) break;
      target = more;
    }
    judged(() => audit.finish());
    if (seen) judged(() => audit.since(bytes(seen.head)));
    await this.#signatures(audit, target);
    return target > 0;
  }

  report(verdict: Report["verdict"], found: Report["fault"], tookMs: number): Report {
    const { audit } = this;
    return {
      verdict,
      fault: found,
      document: this.#document,
      latest: this.#latest,
      seen: this.#input.seen,
      signers: audit ? JSON.parse(audit.signers()) : [],
      newest: audit ? JSON.parse(audit.newest()) : [],
      leaves: audit?.size() ?? 0,
      heads: audit?.heads() ?? 0,
      ids: audit?.ids() ?? 0,
      root: audit?.root() ?? "",
      signaturesChecked: this.#checked,
      bytes: this.#bytes,
      tookMs,
      at: Date.now(),
    };
  }

  /** The latest head, judged by itself and against the one seen before. */
  async #takeLatest(audit: Audit): Promise<number> {
    const { seen } = this.#input;
    let size = 0;
    // An empty log answers 404, which every browser writes to its console as an error; so it is asked for its chain first.
    if (json<unknown[]>(await this.#found("/sth/chain?limit=1")).length > 0) {
      const body = await this.#found("/sth/latest");
      size = judged(() => audit.latest(body));
      this.#latest = json<Head>(body);
      judged(() => audit.check_latest());
    }
    if (seen) judged(() => audit.since(bytes(seen.head)));
    return size;
  }

  /** Takes in all entries and heads up to a size. The next page is on its way while one is judged. */
  async #entries(audit: Audit, target: number): Promise<void> {
    const page = (from: number) => {
      const answers = Promise.all([
        this.#found(`/did/leaves?from=${from}&limit=${Math.min(PAGE, target - from)}`),
        this.#found(`/sth/chain?limit=${PAGE}&before=${Math.min(from + PAGE, target) + 1}`),
      ]);
      // Whoever waits for it learns of its failure; nobody may.
      answers.catch(() => undefined);
      return answers;
    };
    let next = audit.size() < target ? page(audit.size()) : null;
    while (next) {
      const [leaves, heads] = await next;
      const from = audit.size();
      const to = Math.min(from + PAGE, target);
      next = to < target ? page(to) : null;
      judged(() => audit.page(leaves, heads));
      if (audit.size() < to) throw fault("missing_leaf", `the log has no entry ${audit.size()}`, { leaf_index: audit.size() });
      this.#tell("entries", target);
      if (this.#input.everySignature) await this.#signatures(audit, target);
      await this.#rest();
    }
  }

  /** Does the log show more than its latest head says? Either it grew, or it shows an old head. Says how far to go. */
  async #grown(audit: Audit, target: number): Promise<number> {
    const newest = json<Head[]>(await this.#found("/sth/chain?limit=1"))[0]?.tree_size ?? 0;
    const beyond = json<unknown[]>(await this.#found(`/did/leaves?from=${target}&limit=1`)).length;
    if (newest <= target && beyond === 0) return target;
    const latest = await this.#takeLatest(audit);
    if (latest > target && latest >= newest) return latest;
    const more = newest > target ? `a head of ${newest}` : `an entry ${target}`;
    throw fault("stale_head", `the log calls the head of ${latest} leaves its latest, and shows ${more}`, { tree_size: latest });
  }

  async #signatures(audit: Audit, target: number): Promise<void> {
    while (audit.unchecked() > 0) {
      const before = audit.unchecked();
      this.#checked += before - judged(() => audit.check_signatures(SIGNATURES_STEP));
      this.#tell(this.#input.everySignature && audit.size() < target ? "entries" : "signatures", target);
      await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    await this.#input.rest();
    this.#input.signal.throwIfAborted();
  }

  async #found(path: string): Promise<Uint8Array> {
    const { status, body } = await this.#get(path);
    if (status !== 200) throw refused(path, status);
    return body;
  }

  async #get(path: string): Promise<Answer> {
    const answer = await this.#input.get(path);
    this.#bytes += answer.body.length;
    this.evidence.set(path.split("?")[0] ?? path, answer.body);
    return answer;
  }

  #tell(phase: Progress["phase"], size: number): void {
    const { audit } = this;
    this.#input.onProgress({
      phase,
      size,
      leaves: audit?.size() ?? 0,
      signatures: this.#checked,
      signaturesAll: this.#checked + (audit?.unchecked() ?? 0),
      bytes: this.#bytes,
    });
  }
}

function refused(path: string, status: number): FaultError {
  return fault("unreachable", `${path} answered ${status}`);
}

export function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Reads an answer whose meaning the WebAssembly judges; here only its outline is used. */
function json<T>(body: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder().decode(body)) as T;
  } catch {
    throw fault("unreadable", "an answer of the log is no JSON");
  }
}
