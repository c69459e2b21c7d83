import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { GUILD_NAME_CHARS_MAX } from "./CreateGuildDialog.tsx";

export function EditGuildDialog({ guildId, onClose }: { readonly guildId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const name = useSelect((state) => state.guilds.get(guildId)?.name ?? "");
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    await client.rest.editGuild(guildId, { name: String(form.get("name")).trim() });
    onClose();
  });
  return (
    <Dialog title={t("guilds.editTitle", { name })} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <TextField
          name="name"
          label={t("guilds.name")}
          required
          autoFocus
          maxLength={GUILD_NAME_CHARS_MAX}
          defaultValue={name}
          autoComplete="off"
        />
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {t("action.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
