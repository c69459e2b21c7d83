import { Permission } from "@nexus/sdk/permissions";
import { mayI } from "@nexus/sdk/store/selectors";
import { ArrowUp, Eye } from "lucide-react";
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useMedia } from "../../app/useMedia.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { draftOf, keepDraft } from "./drafts.ts";

/** Characters of a message; counted as the instance counts them, by code point. */
const MESSAGE_CHARS_MAX = 4_000;
/** From this many left on, they are counted down. */
const COUNTDOWN_CHARS = 200;

export function Composer({ channelId }: { readonly channelId: string }) {
  const { t } = useTranslation();
  const channel = useSelect((state) => state.channels.get(channelId));
  const mayWrite = useSelect((state) => {
    const guildId = state.channels.get(channelId)?.guild_id;
    return guildId !== undefined && mayI(state, Permission.sendMessages, guildId, channelId);
  });
  if (!channel) return null;
  if (!mayWrite) {
    return (
      <div className="composer" data-nx-part="composer">
        <p className="px-3 py-2 text-ink-2">{t("composer.readOnly")}</p>
      </div>
    );
  }
  return <Writing channelId={channelId} name={channel.name} />;
}

function Writing({ channelId, name }: { readonly channelId: string; readonly name: string }) {
  const { t } = useTranslation();
  const client = useClient();
  const touch = useMedia("(pointer: coarse)");
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => draftOf(channelId));
  const left = MESSAGE_CHARS_MAX - [...text.trim()].length;
  const empty = text.trim() === "";

  // biome-ignore lint/correctness/useExhaustiveDependencies: The height follows the text.
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const change = (value: string) => {
    setText(value);
    keepDraft(channelId, value);
    if (value.trim() !== "") client.typing.typed(channelId);
  };

  const send = () => {
    if (empty || left < 0) return;
    client.outbox.post(channelId, text.trim());
    client.typing.sent(channelId);
    setText("");
    keepDraft(channelId, "");
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // While an input method composes, Enter takes its suggestion. On a touch keyboard it breaks the line.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || touch) return;
    event.preventDefault();
    send();
  };

  return (
    <div className="composer" data-nx-part="composer">
      <textarea
        ref={field}
        rows={1}
        value={text}
        aria-label={t("composer.placeholder", { name })}
        placeholder={t("composer.placeholder", { name })}
        // biome-ignore lint/a11y/noAutofocus: Opening a channel means to write in it; not on touch, where the keyboard would cover it.
        autoFocus={!touch}
        onChange={(event) => change(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="tools">
        <span className="privacy">
          <Icon of={Eye} size="sm" />
          {t("composer.privacy")}
        </span>
        {left <= COUNTDOWN_CHARS ? (
          <span role="status" className={`num text-xs ${left < 0 ? "text-danger-ink" : "text-ink-3"}`}>
            {left < 0 ? t("composer.over", { count: -left }) : t("composer.left", { count: left })}
          </span>
        ) : null}
        <button type="button" className="send" aria-label={t("composer.send")} disabled={empty || left < 0} onClick={send}>
          <Icon of={ArrowUp} />
        </button>
      </div>
    </div>
  );
}
