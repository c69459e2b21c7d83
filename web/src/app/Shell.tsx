import "../i18n/addShellWords.ts";
import type { Client } from "@nexus/sdk/client";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { useEffect, useState } from "react";
import { Shortcuts } from "../features/switcher/Shortcuts.tsx";
import { ClientProvider, useSelect } from "./ClientContext.tsx";
import { Dialogs } from "./Dialogs.tsx";
import { ReplacedPage } from "./ReplacedPage.tsx";
import { startClient } from "./startClient.ts";
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
        <Signed client={client} />
      </Tooltip.Provider>
    </ClientProvider>
  );
}

/** The page of one account; once another took its place, a page that says so. */
function Signed({ client }: { readonly client: Client }) {
  const successor = useSelect(({ connection }) => (connection.status === "ended" ? connection.successor : null));
  if (successor) return <ReplacedPage name={successor.username} />;
  return (
    <>
      <Reconnector client={client} />
      <Outlet />
      <Shortcuts />
      <Dialogs />
      <Toasts />
    </>
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
    if (ended) void navigate({ to: "/login", replace: true });
  }, [ended, navigate]);
  return null;
}
