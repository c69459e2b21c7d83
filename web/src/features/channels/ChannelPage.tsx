import { isReady } from "@nexus/sdk/store/selectors";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useSelect } from "../../app/ClientContext.tsx";
import { Frame } from "../../app/Frame.tsx";
import { rememberPlace } from "../../app/lastPlace.ts";
import { useMedia, WIDE } from "../../app/useMedia.ts";
import { useView } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Notice } from "../../ui/Notice.tsx";
import { MessagesSkeleton } from "../../ui/Skeleton.tsx";
import { OfflineBanner } from "../connection/OfflineBanner.tsx";
import { GuildGone } from "../guilds/GuildPage.tsx";
import { People } from "../members/People.tsx";
import { Composer } from "../messages/Composer.tsx";
import { MessageList } from "../messages/MessageList.tsx";
import { TypingLine } from "../messages/TypingLine.tsx";
import { ChannelHeader } from "./ChannelHeader.tsx";
import { ChannelList } from "./ChannelList.tsx";

/** A place that was just made or joined may be told by REST before the gateway tells it. */
const ARRIVAL_MS_MAX = 3_000;

export function ChannelPage() {
  const { t } = useTranslation();
  const { guildId, channelId } = useParams({ from: "/shell/channels/$guildId/$channelId" });
  const guildKnown = useSelect((state) => state.guilds.has(guildId));
  const channel = useSelect((state) => state.channels.get(channelId));
  const here = channel?.guild_id === guildId ? channel : undefined;
  const missing = useMissing(here !== undefined, channelId);
  const wide = useMedia(WIDE);
  const { peopleColumn, peoplePanel } = useView();
  const people = here !== undefined && (wide ? peopleColumn : peoplePanel);

  useEffect(() => {
    if (here) rememberPlace(guildId, channelId);
  }, [here, guildId, channelId]);
  useTitle(here?.name);

  if (missing && !guildKnown) return <GuildGone />;
  return (
    <Frame level="conversation" people={people}>
      <ChannelList guildId={guildId} />
      <main className="sheet" data-nx-part="conversation">
        {here ? (
          <>
            <ChannelHeader channel={here} />
            <OfflineBanner />
            <MessageList key={channelId} channelId={channelId} />
            <footer className="foot">
              <TypingLine channelId={channelId} />
              <Composer key={channelId} channelId={channelId} />
            </footer>
          </>
        ) : missing ? (
          <Notice page title={t("channels.goneTitle")} lead={t("channels.goneLead")}>
            <Link to="/channels/$guildId" params={{ guildId }} className="button" data-tone="main">
              {t("action.backToChannels")}
            </Link>
          </Notice>
        ) : (
          <>
            <OfflineBanner />
            <MessagesSkeleton label={t("connection.connecting")} />
          </>
        )}
      </main>
      {people ? <People guildId={guildId} channelId={channelId} /> : null}
    </Frame>
  );
}

/** True once everything was told and the place is still not there. */
function useMissing(known: boolean, place: string): boolean {
  const ready = useSelect(isReady);
  const [waited, setWaited] = useState<string | null>(null);
  useEffect(() => {
    if (known || !ready) return;
    const timer = setTimeout(() => setWaited(place), ARRIVAL_MS_MAX);
    return () => clearTimeout(timer);
  }, [known, ready, place]);
  return !known && ready && waited === place;
}

function useTitle(channelName: string | undefined): void {
  useEffect(() => {
    document.title = channelName ? `${channelName} · Nexus` : "Nexus";
    return () => {
      document.title = "Nexus";
    };
  }, [channelName]);
}
