/** Time and chance as arguments, so that every waiting part can be tested without waiting. */

/** A source of time, timers and random numbers. */
export interface Clock {
  nowMs(): number;
  /** Runs `act` after a delay; the answer cancels it. */
  after(delayMs: number, act: () => void): () => void;
  /** A number from 0 up to, not including, 1. */
  random(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Waits on a clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/**
 * How long to wait before try number `attempt` (from 0): doubling from `firstMs` up to `capMs`, of which a random half is
 * taken away, so that clients cut off together don't come back together.
 */
export function backoffMs(attempt: number, firstMs: number, capMs: number, random: number): number {
  const full = Math.min(capMs, firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(full / 2 + (full / 2) * random);
}
