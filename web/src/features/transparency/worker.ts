/** Runs audits away from the page, and answers questions about the last one. */
import init, { Audit, leaf_of, rotation_message_of } from "../../../generated/nexus_wasm.js";
import { type Answer, bytes, type Outcome, runAudit } from "./audit.ts";
import { FaultError, fault, judged } from "./faults.ts";
import type { FromWorker, QuestionName, Questions, ToWorker } from "./messages.ts";
import type { Entry, Lookup, Progress, Proven } from "./shapes.ts";

/** At most ten messages a second about how far it is. */
const PROGRESS_MS = 100;
/** What did not answer is asked again so often, after so long. */
const RETRIES = 3;
const RETRY_MS = 700;
/** A server that asks for patience gets so much. */
const RETRY_MS_MAX = 20_000;

const ready = init();
let last: Outcome | null = null;
let running: AbortController | null = null;

function tell(message: FromWorker): void {
  postMessage(message);
}

async function get(path: string, signal: AbortSignal): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    let why = "nothing answered";
    let waitMs = RETRY_MS * attempt;
    try {
      const response = await fetch(path, { signal, cache: "no-store", credentials: "omit", headers: { accept: "application/json" } });
      const body = new Uint8Array(await response.arrayBuffer());
      if (response.status < 500 && response.status !== 429) return { status: response.status, body };
      why = `it answered ${response.status}`;
      const asked = Number(response.headers.get("retry-after")) * 1_000;
      if (asked > 0) waitMs = Math.min(asked, RETRY_MS_MAX);
    } catch {
      signal.throwIfAborted();
    }
    if (attempt > RETRIES) throw fault("unreachable", `${path}: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    signal.throwIfAborted();
  }
}

/** Lets a message in, such as the wish to stop. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

async function audit(request: Extract<ToWorker, { kind: "audit" }>): Promise<void> {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  const { signal } = controller;
  last?.audit?.free();
  last = null;
  let told = 0;
  const onProgress = (progress: Progress) => {
    const now = performance.now();
    if (now - told < PROGRESS_MS) return;
    told = now;
    tell({ kind: "progress", progress });
  };
  try {
    await ready;
    const outcome = await runAudit({
      ...request,
      begin: Audit.begin,
      get: (path) => get(path, signal),
      onProgress,
      signal,
      rest,
    });
    // Another one may have begun meanwhile.
    if (running !== controller) {
      outcome.audit?.free();
      return;
    }
    last = outcome;
    tell({ kind: "done", report: outcome.report });
  } catch (thrown) {
    tell({ kind: "crashed", message: String(thrown) });
  }
}

/** The log that was found good. */
function audited(): Audit {
  if (!last?.audit) throw new Error("There is no audited log.");
  return last.audit;
}

/** The log's proof for an entry, verified against the root that was recomputed. */
async function prove(leaf: Uint8Array, index: number): Promise<Proven> {
  const log = audited();
  const proof = await get(`/sth/proof/inclusion?leaf_index=${index}&tree_size=${log.size()}`, new AbortController().signal);
  if (proof.status !== 200) throw fault("bad_inclusion", `the log gives no proof, it answered ${proof.status}`, { leaf_index: index });
  last?.evidence.set("/sth/proof/inclusion", proof.body);
  return JSON.parse(judged(() => log.inclusion(leaf, proof.body))) as Proven;
}

/** An entry of ours as the log would show it. */
function shown({ index, id, public_key, timestamp }: Entry): Uint8Array {
  return bytes({ leaf_index: index, id, public_key, timestamp });
}

async function lookup(id: string): Promise<Lookup | null> {
  const log = audited();
  // The log was taken in whole, so what stands in it of an id is all there is.
  const entries = JSON.parse(log.history(id)) as Entry[];
  const newest = entries.at(-1);
  if (!newest) return null;
  const path = `/did/${encodeURIComponent(id)}`;
  const { status, body } = await get(path, new AbortController().signal);
  if (status !== 200) throw fault("unreachable", `${path} answered ${status}`);
  last?.evidence.set(path, body);
  const { leaf_index } = JSON.parse(new TextDecoder().decode(body)) as { leaf_index: number };
  if (leaf_index >= log.size()) throw fault("stale_head", "the key changed after this check; check again", { leaf_index });
  const proof = await prove(body, leaf_index);
  if (leaf_index !== newest.index) {
    const detail = `the server calls entry ${leaf_index} the current key of ${id}, but entry ${newest.index} came later`;
    throw fault("bad_inclusion", detail, { leaf_index });
  }
  return { entries, proof };
}

const answers: { [Name in QuestionName]: (ask: Questions[Name]["ask"]) => Promise<Questions[Name]["answer"]> | Questions[Name]["answer"] } =
  {
    rows: ({ from, count }) => JSON.parse(audited().rows(from, count)),
    search: ({ text, count }) => JSON.parse(audited().search(text, count)),
    subtrees: ({ ranges }) => ranges.map(([start, count]) => audited().subtree(start, count) ?? null),
    prove: ({ index }) => {
      const [entry] = JSON.parse(audited().rows(index, 1)) as Entry[];
      if (!entry) throw fault("missing_leaf", "there is no such entry", { leaf_index: index });
      return prove(shown(entry), index);
    },
    lookup: ({ id }) => lookup(id),
    leaf: ({ registration }) => judged(() => leaf_of(new TextEncoder().encode(registration))),
    rotation: ({ logId, current, next }) => {
      const encoder = new TextEncoder();
      return judged(() => rotation_message_of(logId, encoder.encode(current), encoder.encode(next)));
    },
    evidence: () => {
      const text = (body: Uint8Array) => {
        const raw = new TextDecoder().decode(body);
        try {
          return JSON.parse(raw) as unknown;
        } catch {
          return raw;
        }
      };
      return Object.fromEntries([...(last?.evidence ?? [])].map(([path, body]) => [path, text(body)]));
    },
  };

async function answer({ id, name, question }: Extract<ToWorker, { kind: "ask" }>): Promise<void> {
  try {
    await ready;
    const answered = await (answers[name] as (ask: unknown) => unknown)(question);
    tell({ kind: "answer", id, answer: answered });
  } catch (thrown) {
    tell({ kind: "refused", id, fault: thrown instanceof FaultError ? thrown.fault : null, message: String(thrown) });
  }
}

addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.kind === "audit") void audit(message);
  else if (message.kind === "cancel") running?.abort();
  else void answer(message);
});
