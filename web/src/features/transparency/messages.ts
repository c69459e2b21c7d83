/** What page and worker say to each other. */
import type { Fault } from "./faults.ts";
import type { Entry, Lookup, Progress, Proven, Report, Seen } from "./shapes.ts";

/** A part of the tree: its first leaf and how many. */
export type Range = readonly [start: number, count: number];

/** Questions about the log that was audited, by name: what is asked and what is answered. */
export interface Questions {
  rows: { ask: { from: number; count: number }; answer: readonly Entry[] };
  search: { ask: { text: string; count: number }; answer: readonly Entry[] };
  subtrees: { ask: { ranges: readonly Range[] }; answer: readonly (string | null)[] };
  prove: { ask: { index: number }; answer: Proven };
  lookup: { ask: { id: string }; answer: Lookup | null };
  leaf: { ask: { registration: string }; answer: string };
  rotation: { ask: { logId: string; current: string; next: string }; answer: Uint8Array };
  evidence: { ask: Record<string, never>; answer: Readonly<Record<string, unknown>> };
}

export type QuestionName = keyof Questions;

export type ToWorker =
  | { readonly kind: "audit"; readonly seen: Seen | null; readonly everySignature: boolean }
  | { readonly kind: "cancel" }
  | { readonly kind: "ask"; readonly id: number; readonly name: QuestionName; readonly question: Questions[QuestionName]["ask"] };

export type FromWorker =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "done"; readonly report: Report }
  | { readonly kind: "crashed"; readonly message: string }
  | { readonly kind: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly fault: Fault | null; readonly message: string };
