import { Permission } from "@nexus/sdk/permissions";
import { mayI } from "@nexus/sdk/store/selectors";
import type { ChannelRecord } from "@nexus/sdk/store/state";
import { Link } from "@tanstack/react-router";
import { ChevronLeft, Ellipsis, Eye, Hash, Pencil, Trash2, UserPlus, Users } from "lucide-react";
import { useSelect } from "../../app/ClientContext.tsx";
import { useMedia, WIDE } from "../../app/useMedia.ts";
import { openDialog, togglePeople, useView } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { Menu, MenuItem } from "../../ui/Menu.tsx";

export function ChannelHeader({ channel }: { readonly channel: ChannelRecord }) {
  const { t } = useTranslation();
  const wide = useMedia(WIDE);
  const { peopleColumn, peoplePanel } = useView();
  const guild = useSelect((state) => state.guilds.get(channel.guild_id)?.name ?? "");
  const mayInvite = useSelect((state) => mayI(state, Permission.createInvite, channel.guild_id, channel.id));
  return (
    <header className="bar">
      <Link
        to="/channels/$guildId"
        params={{ guildId: channel.guild_id }}
        className="icon-button only-narrow"
        aria-label={t("action.backToChannels")}
      >
        <Icon of={ChevronLeft} size="lg" />
      </Link>
      <div className="min-w-0 max-md:flex-1">
        <h1>
          <Icon of={Hash} />
          <span className="cut">{channel.name}</span>
        </h1>
        <p className="subline only-narrow cut">
          <Icon of={Eye} size="sm" />
          <span className="cut">{t("channels.subline", { guild })}</span>
        </p>
      </div>
      {channel.topic ? <p className="topic cut">{channel.topic}</p> : null}
      <span className="flex-1 max-md:hidden" />
      {mayInvite ? (
        <IconButton
          icon={UserPlus}
          label={t("invites.dialogTitle", { guild })}
          onClick={() => openDialog({ kind: "invite", guildId: channel.guild_id, channelId: channel.id })}
        />
      ) : null}
      <ChannelMenu channel={channel} />
      <IconButton
        icon={Users}
        label={t("channels.people")}
        aria-pressed={wide ? peopleColumn : peoplePanel}
        onClick={() => togglePeople(wide)}
      />
    </header>
  );
}

/** Only for those who may change the channel. */
function ChannelMenu({ channel }: { readonly channel: ChannelRecord }) {
  const { t } = useTranslation();
  const mayManage = useSelect((state) => mayI(state, Permission.manageChannels, channel.guild_id, channel.id));
  if (!mayManage) return null;
  return (
    <Menu
      align="end"
      trigger={
        <button type="button" className="icon-button" aria-label={t("channels.more", { name: channel.name })}>
          <Icon of={Ellipsis} />
        </button>
      }
    >
      <MenuItem icon={Pencil} onSelect={() => openDialog({ kind: "edit_channel", channelId: channel.id })}>
        {t("channels.edit")}
      </MenuItem>
      <MenuItem icon={Trash2} danger onSelect={() => openDialog({ kind: "delete_channel", channelId: channel.id })}>
        {t("channels.delete")}
      </MenuItem>
    </Menu>
  );
}
