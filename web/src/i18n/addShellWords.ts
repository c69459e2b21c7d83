/** Imported by the shell: its words are there before its first part is drawn. */
import i18next from "i18next";
import { shellWords } from "./shellWords.ts";

i18next.addResourceBundle("en", "translation", shellWords, true, true);
