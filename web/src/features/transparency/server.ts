/** What the server says about itself, unverified: how cosigners do, how the log grew, its metrics. */
import type { Head } from "./shapes.ts";

export interface CosignerHealth {
  readonly cosigner: string;
  readonly public_key: string;
  readonly operator: string;
  readonly url: string | null;
  readonly state: "healthy" | "behind" | "unreachable" | "refused";
  readonly signed_size: number | null;
  readonly last_signed: number | null;
  readonly error: string | null;
}

/** Registrations of an hour that had any. */
export interface Hour {
  readonly start: number;
  readonly registrations: number;
}

export interface Health {
  readonly users_count: number;
  readonly sth_count: number;
  readonly uptime?: number;
}

export const readCosigners = (): Promise<readonly CosignerHealth[]> => read("/sth/cosigners");
export const readGrowth = (hours: number): Promise<readonly Hour[]> => read(`/sth/growth?hours=${hours}`);
export const readHealth = (): Promise<Health> => read("/health");
/** The newest heads, newest first. An empty log has none, and `/sth/latest` would answer 404. */
export const readHeads = (limit: number): Promise<readonly Head[]> => read(`/sth/chain?limit=${limit}`);

async function read<T>(path: string): Promise<T> {
  const response = await fetch(path, { cache: "no-store", credentials: "omit", headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return (await response.json()) as T;
}
