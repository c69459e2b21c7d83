import { startTransition, useCallback, useEffect, useRef, useState } from "react";
import { forget, remember, remembered } from "./memory.ts";
import type { Progress, Report, Seen } from "./shapes.ts";
import { Verifier } from "./verifier.ts";

/** Up to this size a log is checked as soon as the page opens: some megabytes. */
const UNASKED_MAX = 10_000;

export type AuditState =
  | { readonly step: "opening" }
  | { readonly step: "ready"; readonly size: number }
  | { readonly step: "running"; readonly progress: Progress | null }
  | { readonly step: "done"; readonly report: Report }
  | { readonly step: "crashed"; readonly why: string };

export interface AuditHandle {
  readonly state: AuditState;
  readonly verifier: Verifier | null;
  /** What is remembered now. */
  readonly seen: Seen | null;
  /** Could what was found good be kept? */
  readonly kept: boolean;
  readonly everySignature: boolean;
  readonly setEverySignature: (every: boolean) => void;
  readonly check: () => void;
  readonly stop: () => void;
  /** Forgets what was seen, and checks as if for the first time. */
  readonly trustAnew: () => void;
}

/** The audit of this page: one worker, started when the page opens. */
export function useAudit(): AuditHandle {
  const [state, setState] = useState<AuditState>({ step: "opening" });
  const [verifier, setVerifier] = useState<Verifier | null>(null);
  const [seen, setSeen] = useState<Seen | null>(remembered);
  const [kept, setKept] = useState(true);
  const [everySignature, setEverySignature] = useState(false);
  const every = useRef(everySignature);
  every.current = everySignature;

  const start = useCallback((worker: Verifier) => {
    const known = remembered();
    setSeen(known);
    setState({ step: "running", progress: null });
    worker.audit(known, every.current);
  }, []);

  useEffect(() => {
    let gone = false;
    const worker = new Verifier({
      onProgress: (progress) => setState({ step: "running", progress }),
      onCrash: (why) => setState({ step: "crashed", why }),
      onDone: (report) => {
        if (report.verdict === "consistent" && report.document && report.latest) {
          const now: Seen = {
            document: report.document,
            head: report.latest,
            first: report.seen?.first ?? report.at,
            last: report.at,
          };
          setKept(remember(now));
          setSeen(now);
        }
        // The page has much to draw now: in slices, so that it never stands still.
        startTransition(() => setState({ step: "done", report }));
      },
    });
    setVerifier(worker);
    void sizeOf().then((size) => {
      if (gone) return;
      if (size !== null && size > UNASKED_MAX) setState({ step: "ready", size });
      else start(worker);
    });
    return () => {
      gone = true;
      worker.end();
    };
  }, [start]);

  const check = useCallback(() => {
    if (verifier) start(verifier);
  }, [verifier, start]);
  const stop = useCallback(() => verifier?.cancel(), [verifier]);
  const trustAnew = useCallback(() => {
    forget();
    check();
  }, [check]);

  return { state, verifier, seen, kept, everySignature, setEverySignature, check, stop, trustAnew };
}

/** How many entries the log claims, or nothing if it does not say. */
async function sizeOf(): Promise<number | null> {
  try {
    const response = await fetch("/sth/chain?limit=1", { cache: "no-store", credentials: "omit" });
    const heads = (await response.json()) as readonly { readonly tree_size: number }[];
    return heads[0]?.tree_size ?? 0;
  } catch {
    return null;
  }
}
