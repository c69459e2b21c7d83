import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useClient } from "../../app/ClientContext.tsx";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { inviteCodeOf } from "../invites/inviteLinks.ts";

export function JoinGuildDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const [bad, setBad] = useState<string | null>(null);
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const code = inviteCodeOf(String(form.get("link")));
    setBad(code ? null : t("guilds.joinBad"));
    if (!code) return;
    const invite = await client.rest.join(code);
    onClose();
    await navigate({ to: "/channels/$guildId/$channelId", params: { guildId: invite.guild.id, channelId: invite.channel.id } });
  });
  return (
    <Dialog title={t("guilds.joinTitle")} lead={t("guilds.joinLead")} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <TextField
          name="link"
          label={t("guilds.joinField")}
          required
          autoFocus
          autoComplete="off"
          spellCheck={false}
          placeholder={`${location.origin}/invite/…`}
          error={bad}
        />
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {t("guilds.joinSubmit")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
