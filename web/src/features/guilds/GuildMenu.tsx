import { Permission } from "@nexus/sdk/permissions";
import { channelsOf, mayI } from "@nexus/sdk/store/selectors";
import { useParams } from "@tanstack/react-router";
import { ChevronDown, LogOut, Pencil, Plus, Trash2, UserPlus } from "lucide-react";
import { useSelect } from "../../app/ClientContext.tsx";
import { openDialog } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/Menu.tsx";

/** The guild's name, opening what may be done with it. */
export function GuildMenu({ guildId }: { readonly guildId: string }) {
  const { t } = useTranslation();
  const { channelId } = useParams({ strict: false });
  const guild = useSelect((state) => state.guilds.get(guildId));
  const owner = useSelect((state) => state.guilds.get(guildId)?.owner_id === state.me?.id);
  const inviteTo = useSelect((state) => {
    const open = channelsOf(state, guildId).filter((channel) => mayI(state, Permission.createInvite, guildId, channel.id));
    return (open.find((channel) => channel.id === channelId) ?? open[0])?.id ?? null;
  });
  const mayCreate = useSelect((state) => mayI(state, Permission.manageChannels, guildId));
  const mayEdit = useSelect((state) => mayI(state, Permission.manageGuild, guildId));
  if (!guild) return <span className="guild-name" />;
  return (
    <Menu
      trigger={
        <button type="button" className="guild-name" aria-label={t("guilds.menu", { name: guild.name })}>
          <span className="cut">{guild.name}</span>
          <Icon of={ChevronDown} />
        </button>
      }
    >
      {inviteTo ? (
        <MenuItem icon={UserPlus} onSelect={() => openDialog({ kind: "invite", guildId, channelId: inviteTo })}>
          {t("invites.dialogTitle", { guild: guild.name })}
        </MenuItem>
      ) : null}
      {mayCreate ? (
        <MenuItem icon={Plus} onSelect={() => openDialog({ kind: "create_channel", guildId })}>
          {t("channels.create")}
        </MenuItem>
      ) : null}
      {mayEdit ? (
        <MenuItem icon={Pencil} onSelect={() => openDialog({ kind: "edit_guild", guildId })}>
          {t("guilds.edit")}
        </MenuItem>
      ) : null}
      {inviteTo || mayCreate || mayEdit ? <MenuLine /> : null}
      {owner ? (
        <MenuItem icon={Trash2} danger onSelect={() => openDialog({ kind: "delete_guild", guildId })}>
          {t("guilds.delete")}
        </MenuItem>
      ) : (
        <MenuItem icon={LogOut} danger onSelect={() => openDialog({ kind: "leave_guild", guildId })}>
          {t("guilds.leave")}
        </MenuItem>
      )}
    </Menu>
  );
}
