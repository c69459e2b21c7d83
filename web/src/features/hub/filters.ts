/** The filter box: what the server sorts out, and what is looked for in what was read. */
import { printExact } from "./exactJson.ts";
import type { HubEvent } from "./shapes.ts";

export interface Filter {
  /** A type or `NAMESPACE:*`, for the server. */
  readonly event: string | null;
  /** A source's name, for the server. */
  readonly source: string | null;
  /** Words that must each occur, in small letters. `field:value` looks into the payload. */
  readonly words: readonly string[];
}

export const NO_FILTER: Filter = { event: null, source: null, words: [] };

const TYPE = /^(?!source:)[A-Za-z][A-Za-z0-9_]{0,31}:(?:\*|[A-Za-z][A-Za-z0-9_]{0,63})$/;
const EVENT_ID = /^\d{15,20}$/;

/** `types` are those that the server knows: only these are asked of it, anything else is looked for. */
export function parseFilter(text: string, types: readonly string[]): Filter {
  let event: string | null = null;
  let source: string | null = null;
  const words: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    if (word === "") continue;
    const type = TYPE.test(word) ? known(word, types) : null;
    if (type && !event) event = type;
    else if (/^source:./.test(word) && !source) source = word.slice("source:".length);
    else words.push(word.toLowerCase());
  }
  return { event, source, words };
}

function known(word: string, types: readonly string[]): string | null {
  const small = word.toLowerCase();
  if (!small.endsWith(":*")) return types.find((type) => type.toLowerCase() === small) ?? null;
  const type = types.find((candidate) => candidate.toLowerCase().startsWith(small.slice(0, -1)));
  return type ? `${type.split(":")[0]}:*` : null;
}

/** An event's number, if that is all the box holds. */
export const eventIdIn = (text: string): string | null => (EVENT_ID.test(text.trim()) ? text.trim() : null);

/** Does a pattern, `NAMESPACE:*` or a type, want this type? */
export function wants(pattern: string, type: string): boolean {
  return pattern === "*" || pattern === type || (pattern.endsWith(":*") && type.startsWith(pattern.slice(0, -1)));
}

/** Does the part that the server decides let it through? Asked of what the stream pushes. */
export function passes(filter: Filter, event: HubEvent): boolean {
  return (filter.event === null || wants(filter.event, event.event)) && (filter.source === null || filter.source === event.source);
}

/** Does every word occur in its type, its source, its id or its payload? */
export function found(filter: Filter, event: HubEvent): boolean {
  if (filter.words.length === 0) return true;
  const text = textOf(event);
  return filter.words.every((word) => {
    if (text.includes(word)) return true;
    const [field, value] = [word.slice(0, word.indexOf(":")), word.slice(word.indexOf(":") + 1)];
    return field !== "" && word.includes(":") && (text.includes(`"${field}":${value}`) || text.includes(`"${field}":"${value}`));
  });
}

/** What words are looked for in. A payload stays the same object while its event's jobs change. */
const texts = new WeakMap<object, string>();

function textOf(event: HubEvent): string {
  const known = texts.get(event.payload);
  if (known !== undefined) return known;
  const text = `${event.event} ${event.source} ${event.id} ${printExact(event.payload)}`.toLowerCase();
  texts.set(event.payload, text);
  return text;
}
