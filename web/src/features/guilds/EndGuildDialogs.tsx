import { useNavigate } from "@tanstack/react-router";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";

interface GuildDialogProps {
  readonly guildId: string;
  readonly onClose: () => void;
}

export function LeaveGuildDialog({ guildId, onClose }: GuildDialogProps) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const name = useSelect((state) => state.guilds.get(guildId)?.name ?? "");
  const leave = async () => {
    await client.rest.leaveGuild(guildId);
    onClose();
    await navigate({ to: "/" });
  };
  return (
    <ConfirmDialog
      title={t("guilds.leaveTitle", { name })}
      lead={t("guilds.leaveLead")}
      keep={t("guilds.leaveKeep")}
      act={t("guilds.leave")}
      onAct={leave}
      onClose={onClose}
    />
  );
}

export function DeleteGuildDialog({ guildId, onClose }: GuildDialogProps) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const name = useSelect((state) => state.guilds.get(guildId)?.name ?? "");
  const remove = async () => {
    await client.rest.deleteGuild(guildId);
    onClose();
    await navigate({ to: "/" });
  };
  return (
    <ConfirmDialog
      title={t("guilds.deleteTitle", { name })}
      lead={t("guilds.deleteLead")}
      keep={t("guilds.keep")}
      act={t("guilds.delete")}
      onAct={remove}
      onClose={onClose}
    />
  );
}
