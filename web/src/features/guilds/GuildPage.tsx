import { channelsOf, isReady } from "@nexus/sdk/store/selectors";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { useSelect } from "../../app/ClientContext.tsx";
import { Frame } from "../../app/Frame.tsx";
import { lastChannelOf } from "../../app/lastPlace.ts";
import { NARROW, useMedia } from "../../app/useMedia.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Notice } from "../../ui/Notice.tsx";
import { MessagesSkeleton } from "../../ui/Skeleton.tsx";
import { ChannelList } from "../channels/ChannelList.tsx";

/** A guild without a channel: on a phone its list, elsewhere on to the channel that was open last. */
export function GuildPage() {
  const { t } = useTranslation();
  const { guildId } = useParams({ from: "/shell/channels/$guildId" });
  const navigate = useNavigate();
  const narrow = useMedia(NARROW);
  const known = useSelect((state) => state.guilds.has(guildId));
  const ready = useSelect(isReady);
  const channels = useSelect((state) => channelsOf(state, guildId));
  const last = lastChannelOf(guildId);
  const target = channels.find((channel) => channel.id === last) ?? channels[0];

  useEffect(() => {
    if (narrow || !target) return;
    void navigate({ to: "/channels/$guildId/$channelId", params: { guildId, channelId: target.id }, replace: true });
  }, [narrow, target, guildId, navigate]);

  if (ready && !known) return <GuildGone />;
  return (
    <Frame level="list">
      <ChannelList guildId={guildId} isPage={narrow} />
      {narrow ? null : (
        <main className="sheet">
          {ready && !target ? (
            <Notice page title={t("channels.section")} lead={t("guilds.noChannels")} />
          ) : (
            <MessagesSkeleton label={t("connection.connecting")} />
          )}
        </main>
      )}
    </Frame>
  );
}

/** The guild was deleted, or is not ours to see. */
export function GuildGone() {
  const { t } = useTranslation();
  return (
    <Frame level="home">
      <main className="sheet">
        <Notice page title={t("guilds.goneTitle")} lead={t("guilds.goneLead")}>
          <Link to="/" className="button" data-tone="main">
            {t("action.goHome")}
          </Link>
        </Notice>
      </main>
    </Frame>
  );
}
