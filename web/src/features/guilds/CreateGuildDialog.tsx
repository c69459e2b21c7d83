import { useNavigate } from "@tanstack/react-router";
import { useClient } from "../../app/ClientContext.tsx";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";

export const GUILD_NAME_CHARS_MAX = 100;

export function CreateGuildDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const guild = await client.rest.createGuild({ name: String(form.get("name")).trim() });
    onClose();
    const channel = guild.channels?.[0];
    if (channel) await navigate({ to: "/channels/$guildId/$channelId", params: { guildId: guild.id, channelId: channel.id } });
    else await navigate({ to: "/channels/$guildId", params: { guildId: guild.id } });
  });
  return (
    <Dialog title={t("guilds.createTitle")} lead={t("guilds.createLead")} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <TextField name="name" label={t("guilds.name")} required autoFocus maxLength={GUILD_NAME_CHARS_MAX} autoComplete="off" />
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {t("guilds.createSubmit")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
