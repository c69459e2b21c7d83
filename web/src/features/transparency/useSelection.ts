import { useEffect, useState } from "react";
import { type Fault, FaultError } from "./faults.ts";
import type { Proven } from "./shapes.ts";
import type { Verifier } from "./verifier.ts";

export interface Selection {
  readonly index: number | null;
  /** The proof of the entry, once it is there and good. */
  readonly proof: Proven | null;
  readonly fault: Fault | null;
  readonly select: (index: number) => void;
}

/** The entry that tree, log and proof show together. Its proof is asked of the server and verified. */
export function useSelection(verifier: Verifier, size: number): Selection {
  const [index, setIndex] = useState<number | null>(size > 0 ? size - 1 : null);
  const [proof, setProof] = useState<Proven | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);

  useEffect(() => {
    let gone = false;
    setProof(null);
    setFault(null);
    if (index === null) return;
    verifier.ask("prove", { index }).then(
      (proven) => {
        if (!gone) setProof(proven);
      },
      (why: unknown) => {
        if (gone) return;
        const unknown: Fault = { code: "unreachable", leaf_index: index, tree_size: null, detail: String(why) };
        setFault(why instanceof FaultError ? why.fault : unknown);
      },
    );
    return () => {
      gone = true;
    };
  }, [verifier, index]);

  return { index, proof, fault, select: setIndex };
}
