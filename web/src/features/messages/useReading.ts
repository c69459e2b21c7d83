import { isUnread, readUpTo } from "@nexus/sdk/store/selectors";
import { useEffect, useSyncExternalStore } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";

/** Whether somebody looks at the page. */
function useLooking(): boolean {
  return useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      window.addEventListener("focus", listener);
      window.addEventListener("blur", listener);
      return () => {
        document.removeEventListener("visibilitychange", listener);
        window.removeEventListener("focus", listener);
        window.removeEventListener("blur", listener);
      };
    },
    () => document.visibilityState === "visible" && document.hasFocus(),
  );
}

/** Marks the channel read while its end is in sight of somebody, and puts the New mark where reading stopped otherwise. */
export function useReading(channelId: string, atEnd: boolean, onUnread: (after: string | null) => void): void {
  const client = useClient();
  const looking = useLooking();
  const lastMessageId = useSelect((state) => state.channels.get(channelId)?.last_message_id ?? null);
  const unread = useSelect((state) => isUnread(state, channelId));
  const reading = atEnd && looking;

  useEffect(() => {
    if (!unread || !lastMessageId) return;
    if (reading) client.acks.read(channelId, lastMessageId);
  }, [client, channelId, reading, unread, lastMessageId]);

  useEffect(() => {
    if (unread && !reading) onUnread(readUpTo(client.store.state(), channelId));
  }, [client, channelId, reading, unread, onUnread]);
}
