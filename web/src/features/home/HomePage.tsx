import { guildsInOrder, isGuildUnread, isReady } from "@nexus/sdk/store/selectors";
import type { GuildRecord } from "@nexus/sdk/store/state";
import { Link } from "@tanstack/react-router";
import { Settings } from "lucide-react";
import { useSelect } from "../../app/ClientContext.tsx";
import { Frame } from "../../app/Frame.tsx";
import { openDialog } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { GuildTile } from "../../ui/GuildTile.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { OfflineBanner } from "../connection/OfflineBanner.tsx";

export function HomePage() {
  const { t } = useTranslation();
  const ready = useSelect(isReady);
  const guilds = useSelect(guildsInOrder);
  const name = useSelect((state) => state.me?.username ?? "");
  return (
    <Frame level="home">
      <main className="sheet" data-nx-part="home">
        <header className="bar">
          <h1 className="ps-2">{t("home.title")}</h1>
          {name ? <p className="topic cut">{t("home.lead", { name })}</p> : null}
          <span className="flex-1" />
          <IconButton icon={Settings} label={t("settings.open")} onClick={() => openDialog({ kind: "settings" })} />
        </header>
        <OfflineBanner />
        <div className="min-h-0 flex-1 overflow-y-auto">
          {guilds.length > 0 ? <Guilds guilds={guilds} /> : ready ? <NoGuilds /> : <ListSkeleton label={t("connection.connecting")} />}
        </div>
      </main>
    </Frame>
  );
}

function NoGuilds() {
  const { t } = useTranslation();
  return (
    <Notice title={t("home.emptyTitle")} lead={t("home.emptyLead")}>
      <Button tone="main" onClick={() => openDialog({ kind: "create_guild" })}>
        {t("home.create")}
      </Button>
      <Button onClick={() => openDialog({ kind: "join_guild" })}>{t("home.join")}</Button>
    </Notice>
  );
}

function Guilds({ guilds }: { readonly guilds: readonly GuildRecord[] }) {
  const { t } = useTranslation();
  return (
    <section className="max-w-[40rem] px-5 py-6 md:ps-[calc(var(--nx-margin-w)-8px)]">
      <h2 className="section-head">{t("home.yours")}</h2>
      <ul>
        {guilds.map((guild) => (
          <GuildRow key={guild.id} guild={guild} />
        ))}
      </ul>
      <div className="mt-5 flex flex-wrap gap-2 ps-2">
        <Button onClick={() => openDialog({ kind: "create_guild" })}>{t("home.create")}</Button>
        <Button onClick={() => openDialog({ kind: "join_guild" })}>{t("home.join")}</Button>
      </div>
    </section>
  );
}

function GuildRow({ guild }: { readonly guild: GuildRecord }) {
  const { t } = useTranslation();
  const unread = useSelect((state) => isGuildUnread(state, guild.id));
  return (
    <li>
      <Link to="/channels/$guildId" params={{ guildId: guild.id }} className="row h-14! gap-3!">
        <GuildTile id={guild.id} name={guild.name} size={36} />
        <span className="min-w-0">
          <span className="cut block text-md font-medium text-ink">{guild.name}</span>
          <span className="block text-xs font-normal text-ink-3">{t("home.members", { count: guild.member_count })}</span>
        </span>
        <span className="end">
          {unread ? t("home.unread") : t("home.noUnread")}
          {unread ? <span className="unread-dot" /> : null}
        </span>
      </Link>
    </li>
  );
}
