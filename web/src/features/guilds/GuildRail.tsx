import { guildsInOrder, isGuildUnread } from "@nexus/sdk/store/selectors";
import type { GuildRecord } from "@nexus/sdk/store/state";
import { Link, useParams } from "@tanstack/react-router";
import { Plus, SunMoon, Ticket } from "lucide-react";
import { Tooltip } from "radix-ui";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { openDialog } from "../../app/view.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { toggleTheme } from "../../look/preferences.ts";
import { GuildTile } from "../../ui/GuildTile.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { Logo } from "../../ui/Logo.tsx";
import { Menu, MenuItem } from "../../ui/Menu.tsx";
import { ToolLinks } from "../../ui/ToolLinks.tsx";

export function GuildRail() {
  const { t } = useTranslation();
  const guilds = useSelect(guildsInOrder);
  const isAdministrator = useClient().tokens.user?.admin ?? false;
  return (
    <nav className="rail" data-nx-part="guild-rail" aria-label={t("guilds.rail")}>
      <Link
        to="/"
        className="tile"
        data-kind="ghost"
        aria-label={t("guilds.home")}
        activeProps={{ "aria-current": "page" }}
        activeOptions={{ exact: true }}
      >
        <Logo />
      </Link>
      <hr />
      <div className="rail-guilds">
        {guilds.map((guild) => (
          <GuildLink key={guild.id} guild={guild} />
        ))}
      </div>
      <Menu
        side="right"
        trigger={
          <button type="button" className="tile" data-kind="ghost" aria-label={t("guilds.add")}>
            <Icon of={Plus} size="lg" />
          </button>
        }
      >
        <MenuItem icon={Plus} onSelect={() => openDialog({ kind: "create_guild" })}>
          {t("guilds.create")}
        </MenuItem>
        <MenuItem icon={Ticket} onSelect={() => openDialog({ kind: "join_guild" })}>
          {t("guilds.join")}
        </MenuItem>
      </Menu>
      <span className="flex-1" />
      <ToolLinks hub={isAdministrator ? t("guilds.hub") : null} audit={t("guilds.audit")} admin={t("guilds.admin")} />
      <IconButton icon={SunMoon} large className="tile" data-kind="tool" tip="right" label={t("guilds.theme")} onClick={toggleTheme} />
    </nav>
  );
}

function GuildLink({ guild }: { readonly guild: GuildRecord }) {
  const { t } = useTranslation();
  const { guildId } = useParams({ strict: false });
  const unread = useSelect((state) => isGuildUnread(state, guild.id));
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <Link
          to="/channels/$guildId"
          params={{ guildId: guild.id }}
          className="tile"
          aria-label={unread ? t("guilds.unreadLabel", { name: guild.name }) : guild.name}
          aria-current={guildId === guild.id ? "page" : undefined}
        >
          <GuildTile id={guild.id} name={guild.name} />
          {unread ? <span className="dot" /> : null}
        </Link>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" side="right" sideOffset={8}>
          {guild.name}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
