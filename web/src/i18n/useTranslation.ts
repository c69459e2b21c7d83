/**
 * Words for components. Stands in for react-i18next, of which nothing else would be used: that saves 2 KB on the login page, whose
 * budget is tight. Same name and shape, so that going back is one import.
 */
import i18next from "i18next";
import { useSyncExternalStore } from "react";

/** Draws again when the language changes. */
export function useTranslation(): { readonly t: typeof i18next.t } {
  useSyncExternalStore(
    (listener) => {
      i18next.on("languageChanged", listener);
      return () => i18next.off("languageChanged", listener);
    },
    () => i18next.language,
  );
  return i18next;
}
