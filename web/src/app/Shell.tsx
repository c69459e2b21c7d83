import "../i18n/addShellWords.ts";
import type { Client } from "@nexus/sdk/client";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { useEffect, useState } from "react";
import { Shortcuts } from "../features/switcher/Shortcuts.tsx";
import { dropClient, startClient } from "./access.ts";
import { ClientProvider, useSelect } from "./ClientContext.tsx";
import { Dialogs } from "./Dialogs.tsx";
import { Toasts } from "./Toasts.tsx";

/** Everything for people who are logged in: starts the client and stays while pages change. */
export function Shell() {
  const [client, setClient] = useState<Client | null>(null);
  useEffect(() => {
    let gone = false;
    startClient().then((started) => {
      if (!gone) setClient(started);
    });
    return () => {
      gone = true;
    };
  }, []);
  if (!client) return null;
  return (
    <ClientProvider client={client}>
      <Tooltip.Provider delayDuration={500} skipDelayDuration={200}>
        <Reconnector client={client} />
        <Outlet />
        <Shortcuts />
        <Dialogs />
        <Toasts />
      </Tooltip.Provider>
    </ClientProvider>
  );
}

/** Tries at once when the network or the reader comes back, and leaves when the login has ended. */
function Reconnector({ client }: { readonly client: Client }) {
  const navigate = useNavigate();
  const ended = useSelect((state) => state.connection.status === "ended");
  useEffect(() => {
    const hurry = () => {
      if (document.visibilityState === "visible") client.gateway.hurry();
    };
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
    };
  }, [client]);
  useEffect(() => {
    if (!ended) return;
    dropClient();
    void navigate({ to: "/login", replace: true });
  }, [ended, navigate]);
  return null;
}
