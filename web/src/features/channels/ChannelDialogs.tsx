import { useNavigate } from "@tanstack/react-router";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextAreaField, TextField } from "../../ui/Field.tsx";

const NAME_CHARS_MAX = 100;
const TOPIC_CHARS_MAX = 1_024;

export function CreateChannelDialog({ guildId, onClose }: { readonly guildId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const guild = useSelect((state) => state.guilds.get(guildId)?.name ?? "");
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const topic = String(form.get("topic")).trim();
    const channel = await client.rest.createChannel(guildId, {
      type: 0,
      name: String(form.get("name")).trim(),
      ...(topic ? { topic } : {}),
    });
    onClose();
    await navigate({ to: "/channels/$guildId/$channelId", params: { guildId, channelId: channel.id } });
  });
  return (
    <Dialog title={t("channels.createTitle", { name: guild })} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <ChannelFields name="" topic="" />
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {t("channels.createSubmit")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function EditChannelDialog({ channelId, onClose }: { readonly channelId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const channel = useSelect((state) => state.channels.get(channelId));
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const topic = String(form.get("topic")).trim();
    await client.rest.editChannel(channelId, { name: String(form.get("name")).trim(), topic: topic === "" ? null : topic });
    onClose();
  });
  if (!channel) return null;
  return (
    <Dialog title={t("channels.editTitle", { name: channel.name })} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <ChannelFields name={channel.name} topic={channel.topic ?? ""} />
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

export function DeleteChannelDialog({ channelId, onClose }: { readonly channelId: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const client = useClient();
  const navigate = useNavigate();
  const channel = useSelect((state) => state.channels.get(channelId));
  const remove = async () => {
    await client.rest.deleteChannel(channelId);
    onClose();
    if (channel) await navigate({ to: "/channels/$guildId", params: { guildId: channel.guild_id }, replace: true });
  };
  if (!channel) return null;
  return (
    <ConfirmDialog
      title={t("channels.deleteTitle", { name: channel.name })}
      lead={t("channels.deleteLead")}
      keep={t("guilds.keep")}
      act={t("channels.delete")}
      onAct={remove}
      onClose={onClose}
    />
  );
}

function ChannelFields({ name, topic }: { readonly name: string; readonly topic: string }) {
  const { t } = useTranslation();
  return (
    <>
      <TextField
        name="name"
        label={t("channels.name")}
        required
        autoFocus
        maxLength={NAME_CHARS_MAX}
        defaultValue={name}
        autoComplete="off"
      />
      <TextAreaField
        name="topic"
        label={t("channels.topic")}
        hint={t("channels.topicHint")}
        maxLength={TOPIC_CHARS_MAX}
        defaultValue={topic}
        rows={2}
      />
    </>
  );
}
