import { nameOf } from "@nexus/sdk/store/selectors";
import { useEffect, useRef, useState } from "react";
import { useClient } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";

const BATCH_MS = 1_000;

/** Reads new messages of others to screen readers, at most once a second; history that is loaded is never read out. */
export function Announcer({ channelId, guildId }: { readonly channelId: string; readonly guildId: string }) {
  const { t } = useTranslation();
  const { store } = useClient();
  const [words, setWords] = useState("");
  const batch = useRef<string[]>([]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      const lines = batch.current;
      batch.current = [];
      setWords(lines.length === 1 ? (lines[0] ?? "") : t("messages.announcedMany", { count: lines.length }));
    };
    const stop = store.observe((event, state) => {
      if (event.type !== "message_create" || event.message.channel_id !== channelId || event.message.author.id === state.me?.id) return;
      const name = nameOf(state, event.message.author.id, guildId) ?? event.message.author.username;
      batch.current.push(t("messages.announced", { name, text: event.message.content }));
      timer ??= setTimeout(flush, BATCH_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [store, channelId, guildId, t]);

  return (
    <div className="vh" role="log" aria-live="polite">
      {words}
    </div>
  );
}
