/** Strict base64, SHA-256 and canonical JSON: the bytes that everything else is made of. */
import { createHash } from "node:crypto";

/** The hash that trees, leaves and heads use. */
export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Whole numbers from here on are not the same in every JSON parser. */
export const WHOLE_END = 2 ** 53;

/** A whole number as eight bytes, most significant first. */
export function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/**
 * Padded standard base64 of exactly `length` bytes, or null. Node's own decoder accepts the other alphabet, missing padding and stray
 * bits, so what it read is written again and compared.
 * Source: RFC 4648 section 4, and section 3.5 for the stray bits.
 */
export function fromBase64(text: unknown, length: number): Buffer | null {
  if (typeof text !== "string" || text.length !== 4 * Math.ceil(length / 3)) return null;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : null;
}

/**
 * RFC 8785: members sorted by their UTF-16 units, no white space, numbers as ECMAScript writes them. The last two are what
 * `JSON.stringify` does; JavaScript sorts strings by UTF-16 units.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (isRecord(value)) {
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${canonicalJson(name)}:${canonicalJson(value[name])}`).join(",")}}`;
  }
  if (typeof value === "string" && !value.isWellFormed()) throw new TypeError("a lone surrogate has no canonical form");
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`${typeof value} has no canonical form`);
  return text;
}

/** Whether something is a JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether something is a whole number that every JSON parser reads alike. */
export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < WHOLE_END;
}
