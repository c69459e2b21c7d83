import { useSyncExternalStore } from "react";

/** From this width on there is room for the people column. */
export const WIDE = "(min-width: 1280px)";
/** Below it one level is shown at a time. */
export const NARROW = "(max-width: 767px)";

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}
