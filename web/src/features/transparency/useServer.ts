import { useCallback, useEffect, useRef, useState } from "react";
import { type Family, parseMetrics } from "./metrics.ts";
import { type CosignerHealth, type Health, type Hour, readCosigners, readGrowth, readHeads, readHealth } from "./server.ts";
import type { Head } from "./shapes.ts";

/** How often the page asks. */
export const REFRESH_S = 5;
/** So many answers are kept for the small lines. */
const SAMPLES_MAX = 120;

export interface ServerState {
  readonly health: Health | null;
  /** `null` while the log is empty, nothing while it is not known. */
  readonly head: Head | null | undefined;
  readonly cosigners: readonly CosignerHealth[] | null;
  readonly hours: readonly Hour[] | null;
  /** When it was last read, in milliseconds. */
  readonly at: number | null;
  /** When it last failed, if that is later. */
  readonly failedAt: number | null;
}

export type MetricsState =
  | { readonly kind: "opening" }
  | { readonly kind: "closed" }
  | { readonly kind: "missing"; readonly status: number }
  | { readonly kind: "open"; readonly families: readonly Family[] };

const NOTHING: ServerState = { health: null, head: undefined, cosigners: null, hours: null, at: null, failedAt: null };

/** What the server says about itself, again every few seconds while somebody looks. */
export function useServer(period: number, paused: boolean): ServerState {
  const [state, setState] = useState<ServerState>(NOTHING);
  const read = useCallback(async (): Promise<void> => {
    try {
      const [health, heads, cosigners, hours] = await Promise.all([readHealth(), readHeads(1), readCosigners(), readGrowth(period)]);
      setState({ health, head: heads[0] ?? null, cosigners, hours, at: Date.now(), failedAt: null });
    } catch {
      setState((last) => ({ ...last, failedAt: Date.now() }));
    }
  }, [period]);
  useRepeated(read, paused);
  return state;
}

/** The metrics, and how some of them went since the page opened. */
export function useMetrics(names: readonly string[], paused: boolean) {
  const [state, setState] = useState<MetricsState>({ kind: "opening" });
  const [lines, setLines] = useState<ReadonlyMap<string, readonly number[]>>(new Map());
  // Refused once, it would be refused again, and every browser writes that to its console.
  const stopped = state.kind === "closed" || state.kind === "missing";
  const read = useCallback(async (): Promise<void> => {
    try {
      const response = await fetch("/metrics", { cache: "no-store", credentials: "omit" });
      if (response.status === 401 || response.status === 403) return setState({ kind: "closed" });
      const text = await response.text();
      if (!response.ok || text.startsWith("<")) return setState({ kind: "missing", status: response.status });
      const families = parseMetrics(text);
      setState({ kind: "open", families });
      setLines((known) => new Map(names.map((name) => [name, withSample(known.get(name) ?? [], families, name)])));
    } catch {
      // The page says already that the server does not answer.
    }
  }, [names]);
  useRepeated(read, paused || stopped);
  return { state, lines };
}

function withSample(line: readonly number[], families: readonly Family[], name: string): readonly number[] {
  const value = families.find((family) => family.name === name)?.samples[0]?.value;
  return value === undefined ? line : [...line, value].slice(-SAMPLES_MAX);
}

/** Does something now and then again, never twice at once, and not while nobody looks. */
function useRepeated(work: () => Promise<void>, paused: boolean): void {
  const running = useRef(false);
  useEffect(() => {
    if (paused) return;
    let gone = false;
    const run = async () => {
      if (gone || running.current || document.visibilityState === "hidden") return;
      running.current = true;
      await work();
      running.current = false;
    };
    void run();
    const timer = setInterval(() => void run(), REFRESH_S * 1_000);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [work, paused]);
}
