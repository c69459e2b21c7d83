import type { Instance } from "@nexus/sdk/wire";
import { useEffect, useState } from "react";
import { access } from "../../app/access.ts";

/** What the instance says about itself; `null` until it answers. */
export function useInstance(): Instance | null {
  const [instance, setInstance] = useState<Instance | null>(null);
  useEffect(() => {
    let gone = false;
    access.rest.instance().then(
      (answer) => {
        if (!gone) setInstance(answer);
      },
      // The page works without; what is sent later says what is wrong.
      () => {},
    );
    return () => {
      gone = true;
    };
  }, []);
  return instance;
}
