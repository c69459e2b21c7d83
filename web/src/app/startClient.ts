/** The client of the person who is logged in, for as long as that login lasts. */
import type { Client } from "@nexus/sdk/client";
import { clearDrafts } from "../features/messages/drafts.ts";
import { access } from "./access.ts";
import { closeDialog } from "./view.ts";

let started: Promise<Client> | null = null;

/** The client, connected; a new one after a login has ended. */
export function startClient(): Promise<Client> {
  started ??= import("@nexus/sdk/client").then(({ Client }) => {
    const client = new Client({ web: true }, access);
    const ends = client.store.subscribe(() => {
      if (client.store.state().connection.status !== "ended") return;
      ends();
      dropClient();
    });
    client.start();
    return client;
  });
  return started;
}

/** Forgets the client after its login ended, with what somebody wrote and opened under it. */
function dropClient(): void {
  started = null;
  clearDrafts();
  closeDialog();
}
