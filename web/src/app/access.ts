/** The one connection of this page to its instance. The gateway and the store come later, with the first page that needs them. */
import { openAccess } from "@nexus/sdk/access";
import type { Client } from "@nexus/sdk/client";
import { LoggedOutError } from "@nexus/sdk/rest/errors";

export const access = openAccess({ web: true });

let started: Promise<Client> | null = null;

/** The client of the person who is logged in, connected. */
export function startClient(): Promise<Client> {
  started ??= import("@nexus/sdk/client").then(({ Client }) => {
    const client = new Client({ web: true }, access);
    client.start();
    return client;
  });
  return started;
}

/** Forgets the client after the login ended; the next one starts empty. */
export function dropClient(): void {
  started = null;
}

/** Whether somebody is logged in, as far as this page can tell. Without a network that is left open: true. */
export async function isLoggedIn(): Promise<boolean> {
  try {
    await access.tokens.current();
    return true;
  } catch (failure) {
    return !(failure instanceof LoggedOutError);
  }
}
