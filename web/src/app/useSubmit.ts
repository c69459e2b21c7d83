import { type FormEvent, useState } from "react";
import { sentenceOf } from "./errors.ts";

/** The life of a form or an action: working, then done or failed with a sentence. */
export function useSubmit(act: (form: FormData) => Promise<void>) {
  const [working, setWorking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);

  const run = async (form: FormData) => {
    if (working) return;
    setWorking(true);
    setFailure(null);
    try {
      await act(form);
    } catch (caught) {
      setFailure(sentenceOf(caught));
    } finally {
      setWorking(false);
    }
  };

  return {
    working,
    failure,
    onSubmit: (event: FormEvent<HTMLFormElement>) => {
      event.preventDefault();
      void run(new FormData(event.currentTarget));
    },
    onClick: () => void run(new FormData()),
  };
}
