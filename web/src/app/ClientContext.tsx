/** Hands the client to the parts below, and lets them select from its store. */
import type { Client } from "@nexus/sdk/client";
import type { State } from "@nexus/sdk/store/state";
import { createContext, type ReactNode, useContext, useSyncExternalStore } from "react";

const ClientContext = createContext<Client | null>(null);

export function ClientProvider({ client, children }: { readonly client: Client; readonly children: ReactNode }) {
  return <ClientContext value={client}>{children}</ClientContext>;
}

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a ClientProvider above it.");
  return client;
}

/** Selects from the store. The selector must keep the identity of what did not change. */
export function useSelect<T>(selector: (state: State) => T): T {
  const { store } = useClient();
  return useSyncExternalStore(store.subscribe, () => selector(store.state()));
}
