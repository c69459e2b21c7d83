/** Imported by the event hub's page: its words are there before its first part is drawn. */
import i18next from "i18next";
import { hubWords } from "./hubWords.ts";
import { toolWords } from "./toolWords.ts";

i18next.addResourceBundle("en", "translation", { ...toolWords, ...hubWords }, true, true);
