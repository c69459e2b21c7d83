/** The page's side of the worker that verifies. */
import { type Fault, FaultError } from "./faults.ts";
import type { FromWorker, QuestionName, Questions, ToWorker } from "./messages.ts";
import type { Progress, Report, Seen } from "./shapes.ts";
import workerUrl from "./worker.ts?worker&url";

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (why: Error) => void;
}

export interface VerifierListener {
  readonly onProgress: (progress: Progress) => void;
  readonly onDone: (report: Report) => void;
  readonly onCrash: (message: string) => void;
}

/** The policy that the page's Content-Security-Policy names: the only one that may make the address of a worker. */
let policy: { createScriptURL(url: string): unknown } | undefined;

function workerAddress(): string {
  const { trustedTypes } = globalThis as {
    trustedTypes?: { createPolicy(name: string, rules: { createScriptURL(url: string): string }): typeof policy };
  };
  policy ??= trustedTypes?.createPolicy("nexus", {
    createScriptURL: (url) => {
      if (url !== workerUrl) throw new TypeError("This page starts one worker only.");
      return url;
    },
  });
  return (policy?.createScriptURL(workerUrl) ?? workerUrl) as string;
}

export class Verifier {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  constructor(listener: VerifierListener) {
    this.#worker = new Worker(workerAddress(), { type: "module" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "progress") listener.onProgress(data.progress);
      else if (data.kind === "done") listener.onDone(data.report);
      else if (data.kind === "crashed") listener.onCrash(data.message);
      else if (data.kind === "answer") this.#settle(data.id, ({ resolve }) => resolve(data.answer as never));
      else this.#settle(data.id, ({ reject }) => reject(asError(data.fault, data.message)));
    });
    this.#worker.addEventListener("error", (event) => listener.onCrash(event.message));
  }

  audit(seen: Seen | null, everySignature: boolean): void {
    this.#post({ kind: "audit", seen, everySignature });
  }

  cancel(): void {
    this.#post({ kind: "cancel" });
  }

  /** Throws a {@link FaultError} if the log's answer is bad. */
  ask<Name extends QuestionName>(name: Name, question: Questions[Name]["ask"]): Promise<Questions[Name]["answer"]> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: never) => void, reject });
      this.#post({ kind: "ask", id, name, question });
    });
  }

  end(): void {
    this.#worker.terminate();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #settle(id: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting) how(waiting);
  }
}

function asError(fault: Fault | null, message: string): Error {
  return fault ? new FaultError(fault) : new Error(message);
}
