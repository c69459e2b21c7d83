import { nameOf } from "@nexus/sdk/store/selectors";
import { CircleAlert, Clock3 } from "lucide-react";
import { memo } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { reasonOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { personColour } from "../../ui/art.ts";
import { Icon } from "../../ui/Icon.tsx";
import type { Row } from "./rows.ts";
import { piecesOf } from "./text.ts";
import { clockTime, dayName, fullTime } from "./times.ts";

export interface MessageRowProps {
  readonly row: Row;
  readonly guildId: string;
  readonly channelName: string;
}

/** One message with whatever stands above it: the channel's start, a day, the New mark. */
export const MessageRow = memo(function MessageRow({ row, guildId, channelName }: MessageRowProps) {
  const { t } = useTranslation();
  const name = useSelect((state) => nameOf(state, row.authorId, guildId)) ?? t("messages.person");
  const isBot = useSelect((state) => state.users.get(row.authorId)?.bot ?? false);
  const time = clockTime(row.atMs);
  return (
    <>
      {row.isStart ? <ChannelStart name={channelName} lead={t("messages.startLeadOld")} /> : null}
      {row.day === null ? null : (
        <h3 className="day">{dayName(row.day, Date.now(), { today: t("messages.today"), yesterday: t("messages.yesterday") })}</h3>
      )}
      {row.isNew ? <NewMark /> : null}
      <article
        className="msg"
        data-first={row.first}
        data-status={row.status}
        data-message-id={row.id ?? undefined}
        tabIndex={-1}
        aria-label={t("messages.at", { name, time })}
      >
        <div className="margin">
          {row.first ? (
            <Avatar id={row.authorId} size="var(--nx-avatar)" />
          ) : (
            <time dateTime={new Date(row.atMs).toISOString()} title={fullTime(row.atMs)}>
              {time}
            </time>
          )}
        </div>
        <div className="body">
          {row.first ? (
            <div className="who">
              <b style={{ color: personColour(row.authorId) }}>{name}</b>
              {isBot ? <span className="tag">{t("members.bot")}</span> : null}
              <time dateTime={new Date(row.atMs).toISOString()} title={fullTime(row.atMs)}>
                {time}
              </time>
            </div>
          ) : null}
          <p className="text">
            <Text content={row.content} />
            {row.status === "waiting" ? (
              <span className="sending">
                <Icon of={Clock3} size="sm" />
                <span className="vh">{t("messages.sending")}</span>
              </span>
            ) : null}
          </p>
          {row.status === "failed" && row.echo ? <Failed echo={row.echo} /> : null}
        </div>
      </article>
    </>
  );
});

export function ChannelStart({ name, lead }: { readonly name: string; readonly lead: string }) {
  const { t } = useTranslation();
  return (
    <div className="intro">
      <h2>{t("messages.startTitle", { name })}</h2>
      <p>{lead}</p>
    </div>
  );
}

function NewMark() {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/useSemanticElements: A rule with a word in it.
    <div className="new-mark" role="separator" aria-label={t("messages.newMessages")}>
      <span aria-hidden="true">{t("messages.new")}</span>
      <i />
    </div>
  );
}

function Text({ content }: { readonly content: string }) {
  return piecesOf(content).map((piece, index) =>
    piece.kind === "text" ? (
      piece.text
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: The pieces of one text never change places.
      <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer">
        {piece.text}
      </a>
    ),
  );
}

function Failed({ echo }: { readonly echo: NonNullable<Row["echo"]> }) {
  const { t } = useTranslation();
  const { outbox } = useClient();
  return (
    <div className="fail" role="alert">
      <Icon of={CircleAlert} size="sm" />
      {echo.reason === null || echo.reason === "offline"
        ? t("messages.failed.offline")
        : t("messages.failed.refused", { why: reasonOf(echo.reason, echo.detail) })}
      <button type="button" className="link-button" onClick={() => outbox.retry(echo.nonce)}>
        {t("messages.retry")}
      </button>
      <button type="button" className="link-button" onClick={() => outbox.discard(echo.nonce)}>
        {t("messages.discard")}
      </button>
    </div>
  );
}
