import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { patternsIn } from "./common.tsx";
import { useHub } from "./session.tsx";
import type { Webhook, WithSecret } from "./shapes.ts";

export interface WebhookDialogProps {
  /** The one to change, or nothing for a new one. */
  readonly webhook: Webhook | null;
  readonly onClose: () => void;
  readonly onMade: (webhook: WithSecret<Webhook>) => void;
}

export function WebhookDialog({ webhook, onClose, onMade }: WebhookDialogProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const draft = {
      url: String(form.get("url")).trim(),
      events: patternsIn(String(form.get("events"))),
      description: String(form.get("description")).trim(),
    };
    if (webhook) {
      await hub.server.editWebhook(webhook.id, draft);
      onClose();
    } else {
      onMade(await hub.server.addWebhook(draft));
    }
    await Promise.all([hub.webhooks.refresh(), hub.stats.refresh()]);
  });
  return (
    <Dialog
      wide
      title={webhook ? t("hub.webhooks.editTitle") : t("hub.webhooks.addTitle")}
      lead={webhook ? null : t("hub.webhooks.addLead")}
      onClose={onClose}
    >
      <form className="dialog-body" onSubmit={onSubmit}>
        <TextField
          label={t("hub.webhooks.url")}
          name="url"
          type="url"
          required
          defaultValue={webhook?.url ?? ""}
          hint={t("hub.webhooks.urlHint")}
          placeholder="https://"
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
        <TextField
          label={t("hub.webhooks.events")}
          name="events"
          required
          defaultValue={webhook?.events.join(" ") ?? ""}
          hint={t("hub.patternsHint")}
          placeholder="FLOWPAY:PAYMENT_RECEIVED FACTORY:*"
          autoComplete="off"
          spellCheck={false}
        />
        <TextField
          label={t("hub.webhooks.description")}
          name="description"
          defaultValue={webhook?.description ?? ""}
          maxLength={200}
          autoComplete="off"
        />
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {webhook ? t("action.save") : t("hub.webhooks.addAct")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
