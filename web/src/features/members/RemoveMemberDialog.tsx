import { nameOf } from "@nexus/sdk/store/selectors";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";

export interface RemoveMemberDialogProps {
  readonly guildId: string;
  readonly userId: string;
  readonly onClose: () => void;
}

export function RemoveMemberDialog({ guildId, userId, onClose }: RemoveMemberDialogProps) {
  const { t } = useTranslation();
  const client = useClient();
  const name = useSelect((state) => nameOf(state, userId, guildId) ?? "");
  const isBot = useSelect((state) => state.users.get(userId)?.bot ?? false);
  const remove = async () => {
    await client.rest.removeMember(guildId, userId);
    onClose();
  };
  return (
    <ConfirmDialog
      title={t("members.removeTitle", { name })}
      lead={t(isBot ? "members.removeLeadBot" : "members.removeLead")}
      keep={t("members.keep")}
      act={t("members.remove")}
      onAct={remove}
      onClose={onClose}
    />
  );
}
