import { useNavigate, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { Read, Refusal, SecretDialog } from "./common.tsx";
import { Deliveries } from "./Deliveries.tsx";
import { fullMoment } from "./formats.ts";
import { STATS_MS, TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { Webhook } from "./shapes.ts";
import { type Deed, useDeed } from "./useDeed.ts";
import { useNow } from "./useNow.ts";
import { WebhookDialog } from "./WebhookDialog.tsx";

type Open =
  | { readonly kind: "add" }
  | { readonly kind: "edit" | "rotate" | "remove"; readonly webhook: Webhook }
  | { readonly kind: "secret"; readonly secret: string; readonly url: string; readonly previousUntil: number | null };

/** The endpoints that are told of events, and how each of them does. */
export function WebhooksPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const webhooks = useResource(hub.webhooks, STATS_MS);
  const [open, setOpen] = useState<Open | null>(null);
  const deed = useDeed();
  const close = () => setOpen(null);
  return (
    <>
      <TopBar title={t("hub.parts.webhooks")}>
        <Button tone="main" icon={<Icon of={Plus} />} onClick={() => setOpen({ kind: "add" })}>
          {t("hub.webhooks.add")}
        </Button>
      </TopBar>
      <div className="hub-body">
        <div className="hub-pane">
          <p className="hub-lead">{t("hub.webhooks.lead")}</p>
          <Read of={webhooks} label={t("hub.parts.webhooks")} onRetry={() => void hub.webhooks.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              all.length === 0 ? (
                <Notice title={t("hub.webhooks.none")} lead={t("hub.webhooks.noneLead")} />
              ) : (
                <ul className="hub-cards">
                  {all.map((webhook) => (
                    <WebhookCard key={webhook.id} webhook={webhook} deed={deed} onOpen={setOpen} />
                  ))}
                </ul>
              )
            }
          </Read>
        </div>
      </div>
      {open?.kind === "add" || open?.kind === "edit" ? (
        <WebhookDialog
          webhook={open.kind === "edit" ? open.webhook : null}
          onClose={close}
          onMade={({ secret, url }) => setOpen({ kind: "secret", secret, url, previousUntil: null })}
        />
      ) : null}
      {open?.kind === "rotate" ? (
        <ConfirmDialog
          title={t("hub.webhooks.rotateTitle")}
          lead={t("hub.webhooks.rotateLead", { url: open.webhook.url })}
          keep={t("hub.sources.rotateKeep")}
          act={t("hub.sources.rotateAct")}
          onAct={async () => {
            const made = await hub.server.rotateWebhook(open.webhook.id);
            setOpen({ kind: "secret", secret: made.secret, url: made.url, previousUntil: made.previous_until });
            await hub.webhooks.refresh();
          }}
          onClose={close}
        />
      ) : null}
      {open?.kind === "remove" ? (
        <ConfirmDialog
          title={t("hub.webhooks.removeTitle")}
          lead={t("hub.webhooks.removeLead", { url: open.webhook.url })}
          keep={t("hub.webhooks.removeKeep")}
          act={t("hub.webhooks.removeAct")}
          onAct={async () => {
            await hub.server.removeWebhook(open.webhook.id);
            close();
            await Promise.all([hub.webhooks.refresh(), hub.stats.refresh()]);
          }}
          onClose={close}
        />
      ) : null}
      {open?.kind === "secret" ? (
        <SecretDialog
          title={t("hub.webhooks.secretTitle")}
          lead={
            open.previousUntil === null
              ? t("hub.webhooks.secretLead", { url: open.url })
              : t("hub.webhooks.secretRotated", { until: fullMoment(open.previousUntil) })
          }
          secret={open.secret}
          onClose={close}
        />
      ) : null}
    </>
  );
}

interface WebhookCardProps {
  readonly webhook: Webhook;
  readonly deed: Deed;
  readonly onOpen: (open: Open) => void;
}

function WebhookCard({ webhook, deed, onOpen }: WebhookCardProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const now = useNow(60_000);
  const { webhook: shown } = useSearch({ from: "/hub" });
  const navigate = useNavigate({ from: "/hub" });
  const isShown = shown === webhook.id;
  const show = (id: string | undefined) => navigate({ search: { part: "webhooks", webhook: id }, replace: true });
  const act = (what: string, deedOf: () => Promise<unknown>) =>
    void deed.run(`${what} ${webhook.id}`, async () => {
      await deedOf();
      await hub.webhooks.refresh();
    });
  const test = () =>
    act("test", async () => {
      await hub.server.testWebhook(webhook.id);
      await Promise.all([show(webhook.id), hub.deliveries(webhook.id).refresh()]);
    });
  const toState = webhook.state === "on" ? "off" : "on";
  return (
    <li className="hub-card" aria-label={webhook.url} data-state={webhook.state}>
      <header>
        <b className="mono cut">{webhook.url}</b>
        <span className="hub-state" data-tone={webhook.state === "disabled" ? "danger" : "rest"}>
          {t(`hub.webhooks.states.${webhook.state}`)}
        </span>
      </header>
      {webhook.description ? <p className="text-ink-2">{webhook.description}</p> : null}
      {webhook.state === "disabled" ? (
        <p className="bad-news">
          <b>
            {webhook.failing_since === null
              ? t("hub.webhooks.disabled")
              : t("hub.webhooks.disabledSince", { since: fullMoment(webhook.failing_since) })}
          </b>{" "}
          {webhook.reason} {t("hub.webhooks.disabledTodo")}
        </p>
      ) : webhook.failing_since !== null ? (
        <p className="wait-news">
          <b>{t("hub.webhooks.failing", { since: fullMoment(webhook.failing_since) })}</b> {webhook.reason}
        </p>
      ) : null}
      {webhook.previous_until !== null && webhook.previous_until > now ? (
        <p className="wait-news">{t("hub.webhooks.previous", { until: fullMoment(webhook.previous_until) })}</p>
      ) : null}
      <p className="hub-patterns">
        {webhook.events.map((pattern) => (
          <code key={pattern}>{pattern}</code>
        ))}
      </p>
      <Refusal>{deed.failed?.name.endsWith(` ${webhook.id}`) ? deed.failed.words : null}</Refusal>
      <div className="acts">
        <Button working={deed.doing === `test ${webhook.id}`} onClick={test}>
          {t("hub.webhooks.test")}
        </Button>
        <Button
          working={deed.doing === `state ${webhook.id}`}
          onClick={() => act("state", () => hub.server.editWebhook(webhook.id, { state: toState }))}
        >
          {t(toState === "on" ? "hub.webhooks.on" : "hub.webhooks.off")}
        </Button>
        <Button onClick={() => onOpen({ kind: "edit", webhook })}>{t("hub.webhooks.edit")}</Button>
        <Button onClick={() => onOpen({ kind: "rotate", webhook })}>{t("hub.webhooks.rotate")}</Button>
        <Button onClick={() => onOpen({ kind: "remove", webhook })}>{t("hub.webhooks.remove")}</Button>
      </div>
      <button type="button" className="link-button" aria-expanded={isShown} onClick={() => void show(isShown ? undefined : webhook.id)}>
        {t(isShown ? "hub.webhooks.hide" : "hub.webhooks.deliveries")}
      </button>
      {isShown ? <Deliveries webhook={webhook.id} /> : null}
    </li>
  );
}
