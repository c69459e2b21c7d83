/**
 * What this browser remembers of the log that it found good: who signs, and the last head. It is what a rollback or another log for
 * some readers is noticed by. Only a good audit changes it, and the reader's word.
 */
import type { Seen } from "./shapes.ts";

const PLACE = "nexus.audit.seen";

export function remembered(): Seen | null {
  try {
    const text = localStorage.getItem(PLACE);
    return text ? (JSON.parse(text) as Seen) : null;
  } catch {
    return null;
  }
}

/** Says whether it could be kept: some browsers keep nothing in a private window. */
export function remember(seen: Seen): boolean {
  try {
    localStorage.setItem(PLACE, JSON.stringify(seen));
    return true;
  } catch {
    return false;
  }
}

export function forget(): void {
  try {
    localStorage.removeItem(PLACE);
  } catch {
    // Then there was nothing to forget either.
  }
}
