/** Sets up the words. One language for now; others are files beside the English ones. The words of the shell come with the shell. */
import i18next from "i18next";
import { entryWords } from "./entryWords.ts";
import type { hubWords } from "./hubWords.ts";
import type { shellWords } from "./shellWords.ts";
import type { toolWords } from "./toolWords.ts";
import type { transparencyWords } from "./transparencyWords.ts";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: {
      translation: typeof entryWords & typeof shellWords & typeof toolWords & typeof transparencyWords & typeof hubWords;
    };
  }
}

void i18next.init({
  lng: "en",
  fallbackLng: "en",
  resources: { en: { translation: entryWords } },
  // React escapes.
  interpolation: { escapeValue: false },
});
