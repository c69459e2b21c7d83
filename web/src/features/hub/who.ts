/** Whose page this is: an administrator who is signed in, or, on a server without accounts, who holds an admin token. */
import { ApiError, LoggedOutError, NetworkError } from "@nexus/sdk/rest/errors";
import { access, isLoggedIn } from "../../app/access.ts";
import { type Credentials, HubServer } from "./server.ts";

/** In `sessionStorage`: it goes when the tab does. */
const TOKEN = "nexus.hub.token";

export type Who =
  | { readonly kind: "administrator"; readonly server: HubServer; readonly name: string }
  | { readonly kind: "holder"; readonly server: HubServer }
  /** A server without accounts, and no token yet; `refused` if the one that was kept is no longer good. */
  | { readonly kind: "stranger"; readonly refused: boolean }
  | { readonly kind: "signed_out" }
  | { readonly kind: "member" }
  /** This server has no event hub. */
  | { readonly kind: "absent" };

/** @throws NetworkError, ApiError */
export async function findOut(): Promise<Who> {
  const serves = await whatIsServed();
  if (serves === "neither") return { kind: "absent" };
  if (serves === "hub") return findHolder();
  if (!(await isLoggedIn())) return { kind: "signed_out" };
  try {
    const user = await access.rest.me();
    if (!user.admin) return { kind: "member" };
    const server = new HubServer({ token: (refused) => access.tokens.current(refused) });
    return (await hasHub(server)) ? { kind: "administrator", server, name: user.username } : { kind: "absent" };
  } catch (failure) {
    if (failure instanceof LoggedOutError) return { kind: "signed_out" };
    throw failure;
  }
}

async function findHolder(): Promise<Who> {
  const token = keptToken();
  if (!token) return { kind: "stranger", refused: false };
  try {
    return await holderOf(token);
  } catch (failure) {
    if (!(failure instanceof ApiError) || failure.status !== 401) throw failure;
    forgetToken();
    return { kind: "stranger", refused: true };
  }
}

/**
 * Tries a token, and keeps it for this tab if it is good.
 * @throws ApiError, with 401 if it is not; NetworkError
 */
export async function holderOf(token: string): Promise<Who> {
  const server = new HubServer(constant(token));
  if (!(await hasHub(server))) return { kind: "absent" };
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // No storage: it lasts as long as the page.
  }
  return { kind: "holder", server };
}

export function forgetToken(): void {
  try {
    sessionStorage.removeItem(TOKEN);
  } catch {
    // Nothing was kept then.
  }
}

function keptToken(): string | null {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

const constant = (token: string): Credentials => ({ token: () => Promise.resolve(token) });

/** Asks for the hub's figures: a server without it knows no such route. */
async function hasHub(server: HubServer): Promise<boolean> {
  try {
    await server.stats();
    return true;
  } catch (failure) {
    if (failure instanceof ApiError && (failure.status === 404 || failure.status === 405)) return false;
    throw failure;
  }
}

/** Accounts, and perhaps a hub; a hub without accounts; or neither. */
async function whatIsServed(): Promise<"accounts" | "hub" | "neither"> {
  const ask = (path: string) => fetch(path, { cache: "no-store", credentials: "omit", headers: { accept: "application/json" } });
  try {
    const health = await ask("/health");
    // A server of the hub alone says `ok`.
    if (health.ok && ((await health.json()) as { readonly status?: string }).status === "ok") return "hub";
    if ((await ask("/api/v1/instance")).status !== 404) return "accounts";
    return (await ask("/events/types")).status === 404 ? "neither" : "hub";
  } catch (cause) {
    throw new NetworkError(cause);
  }
}
