/** JSON whose payloads keep their numbers as they were sent: `15.00` is shown as `15.00`, and a number above 2^53 is not rounded. */

/** A number that JavaScript would write otherwise. */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | number | string | ExactNumber | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** A character of Unicode's private area. A text that holds it itself is read the plain way. */
const MARK = "\uE0F1";
const MARK_WRITTEN = /\\ue0f1/i;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses; numbers below a field called `payload` are exact, all others plain. */
export function parseExact(text: string): unknown {
  if (text.includes(MARK) || MARK_WRITTEN.test(text)) return JSON.parse(text);
  const marked = text.replace(TOKENS, (token) => (token.startsWith('"') || String(Number(token)) === token ? token : `"${MARK}${token}"`));
  return unmarked(JSON.parse(marked), false);
}

function unmarked(value: unknown, exact: boolean): unknown {
  if (typeof value === "string") {
    if (!value.startsWith(MARK)) return value;
    const text = value.slice(MARK.length);
    return exact ? new ExactNumber(text) : Number(text);
  }
  if (Array.isArray(value)) return value.map((item) => unmarked(item, exact));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unmarked(inner, exact || name === "payload")]));
}

/** The same JSON on one line, numbers as they were sent. */
export function printExact(value: Json): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(printExact).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, inner]) => `${JSON.stringify(name)}:${printExact(inner)}`)
    .join(",")}}`;
}

/** A piece of printed JSON and what it is, for colours. */
export interface Token {
  readonly kind: "name" | "text" | "number" | "word" | "plain";
  readonly text: string;
}

/** The JSON over several lines, in pieces. */
export function tokensOf(value: Json, indent = ""): Token[] {
  if (value instanceof ExactNumber) return [{ kind: "number", text: value.text }];
  if (typeof value === "number") return [{ kind: "number", text: String(value) }];
  if (typeof value === "string") return [{ kind: "text", text: JSON.stringify(value) }];
  if (value === null || typeof value === "boolean") return [{ kind: "word", text: String(value) }];
  const isList = Array.isArray(value);
  const entries: (readonly [string | null, Json])[] = isList ? value.map((inner) => [null, inner] as const) : Object.entries(value);
  const [open, shut] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return [{ kind: "plain", text: open + shut }];
  const inside = `${indent}  `;
  const tokens: Token[] = [{ kind: "plain", text: `${open}\n` }];
  entries.forEach(([name, inner], at) => {
    tokens.push({ kind: "plain", text: inside });
    if (name !== null) tokens.push({ kind: "name", text: JSON.stringify(name) }, { kind: "plain", text: ": " });
    tokens.push(...tokensOf(inner, inside), { kind: "plain", text: at === entries.length - 1 ? "\n" : ",\n" });
  });
  tokens.push({ kind: "plain", text: indent + shut });
  return tokens;
}

/** What a value is in words of a row; nothing for what has parts. */
export function plainOf(value: Json | undefined): string | null {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return null;
}
