/** Imported by the Audit and the Admin page: their words are there before their first part is drawn. */
import i18next from "i18next";
import { toolWords } from "./toolWords.ts";
import { transparencyWords } from "./transparencyWords.ts";

i18next.addResourceBundle("en", "translation", { ...toolWords, ...transparencyWords }, true, true);
