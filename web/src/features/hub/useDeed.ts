import { useState } from "react";
import { sentenceOf } from "../../app/errors.ts";

export interface Deed {
  /** What is being done, by the name it was given. */
  readonly doing: string | null;
  /** What failed last, and why. */
  readonly failed: { readonly name: string; readonly words: string } | null;
  readonly run: (name: string, act: () => Promise<unknown>) => Promise<void>;
}

/** One thing at a time is done, and what failed is said beside it. */
export function useDeed(): Deed {
  const [doing, setDoing] = useState<string | null>(null);
  const [failed, setFailed] = useState<Deed["failed"]>(null);
  const run = async (name: string, act: () => Promise<unknown>) => {
    if (doing !== null) return;
    setDoing(name);
    setFailed(null);
    try {
      await act();
    } catch (failure) {
      setFailed({ name, words: sentenceOf(failure) });
    } finally {
      setDoing(null);
    }
  };
  return { doing, failed, run };
}
