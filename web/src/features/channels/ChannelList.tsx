import { Permission } from "@nexus/sdk/permissions";
import { channelsOf, isUnread, mayI } from "@nexus/sdk/store/selectors";
import type { ChannelRecord } from "@nexus/sdk/store/state";
import { Link, useParams } from "@tanstack/react-router";
import { Hash, Plus, Search, Settings } from "lucide-react";
import { useSelect } from "../../app/ClientContext.tsx";
import { openDialog } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Avatar } from "../../ui/Avatar.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { GuildMenu } from "../guilds/GuildMenu.tsx";

export interface ChannelListProps {
  readonly guildId: string;
  /** On a phone the list is a level of its own, and then the page's main part. */
  readonly isPage?: boolean;
}

export function ChannelList({ guildId, isPage = false }: ChannelListProps) {
  const { t } = useTranslation();
  const name = useSelect((state) => state.guilds.get(guildId)?.name);
  const known = name !== undefined;
  const Part = isPage ? "main" : "aside";
  const channels = useSelect((state) => channelsOf(state, guildId));
  const mayCreate = useSelect((state) => mayI(state, Permission.manageChannels, guildId));
  return (
    <Part className="list" data-nx-part="channel-list" aria-label={t("channels.label")}>
      {isPage ? <h1 className="vh">{name ?? t("channels.label")}</h1> : null}
      <div className="bar">
        <GuildMenu guildId={guildId} />
      </div>
      <button type="button" className="jump" data-nx-part="quick-switcher-open" onClick={() => openDialog({ kind: "switcher" })}>
        <Icon of={Search} size="sm" />
        {t("channels.jump")}
        <span className="kbd" aria-hidden="true">
          Ctrl K
        </span>
      </button>
      <nav className="scroll" aria-label={t("channels.label")}>
        {known ? (
          <>
            <div className="section-head">
              <h2>{t("channels.section")}</h2>
              {mayCreate ? (
                <IconButton
                  icon={Plus}
                  small
                  label={t("channels.create")}
                  onClick={() => openDialog({ kind: "create_channel", guildId })}
                />
              ) : null}
            </div>
            {channels.map((channel) => (
              <ChannelRow key={channel.id} channel={channel} />
            ))}
          </>
        ) : (
          <ListSkeleton label={t("connection.connecting")} />
        )}
      </nav>
      <Dock />
    </Part>
  );
}

function ChannelRow({ channel }: { readonly channel: ChannelRecord }) {
  const { t } = useTranslation();
  const { channelId } = useParams({ strict: false });
  const unread = useSelect((state) => isUnread(state, channel.id));
  const current = channelId === channel.id;
  return (
    <Link
      to="/channels/$guildId/$channelId"
      params={{ guildId: channel.guild_id, channelId: channel.id }}
      className="row"
      aria-current={current ? "page" : undefined}
      data-unread={unread}
    >
      <Icon of={Hash} />
      <span className="cut">{channel.name}</span>
      {unread ? (
        <span className="end">
          <span className="unread-dot" />
          <span className="vh">{t("channels.unread")}</span>
        </span>
      ) : null}
    </Link>
  );
}

/** Who is signed in here. */
function Dock() {
  const { t } = useTranslation();
  const me = useSelect((state) => state.me);
  const connecting = useSelect((state) => state.connection.status !== "live");
  if (!me) return null;
  return (
    <div className="dock" data-nx-part="dock">
      <Avatar id={me.id} size={32} />
      <div className="cut flex-1">
        <b className="cut">{me.global_name ?? me.username}</b>
        <small className="cut">{connecting ? t("connection.connecting") : `@${me.username}`}</small>
      </div>
      <IconButton icon={Settings} small tip="top" label={t("settings.open")} onClick={() => openDialog({ kind: "settings" })} />
    </div>
  );
}
