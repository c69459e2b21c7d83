import { Plus } from "lucide-react";
import { useState } from "react";
import { useSubmit } from "../../app/useSubmit.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { ConfirmDialog } from "../../ui/ConfirmDialog.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { FormError, TextField } from "../../ui/Field.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { patternsIn, Read, SecretDialog } from "./common.tsx";
import { fullMoment, shortMoment } from "./formats.ts";
import { TopBar, type TopProps } from "./HubFrame.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import type { Source } from "./shapes.ts";
import { useNow } from "./useNow.ts";

type Open =
  | { readonly kind: "add" }
  | { readonly kind: "rotate" | "remove"; readonly source: Source }
  | { readonly kind: "secret"; readonly name: string; readonly secret: string; readonly previousUntil: number | null };

/** Who may send events, and with which secret they sign. */
export function SourcesPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const sources = useResource(hub.sources, null);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      <TopBar title={t("hub.parts.sources")}>
        <Button tone="main" icon={<Icon of={Plus} />} onClick={() => setOpen({ kind: "add" })}>
          {t("hub.sources.add")}
        </Button>
      </TopBar>
      <div className="hub-body">
        <div className="hub-pane">
          <p className="hub-lead">{t("hub.sources.lead")}</p>
          <Read of={sources} label={t("hub.parts.sources")} onRetry={() => void hub.sources.refresh()} onAskAgain={onAskAgain}>
            {(all) =>
              all.length === 0 ? (
                <Notice title={t("hub.sources.none")} lead={t("hub.sources.noneLead")} />
              ) : (
                <ul className="hub-cards">
                  {all.map((source) => (
                    <SourceCard key={source.name} source={source} onOpen={setOpen} />
                  ))}
                </ul>
              )
            }
          </Read>
        </div>
      </div>
      {open?.kind === "add" ? (
        <AddDialog onClose={close} onAdded={(name, secret) => setOpen({ kind: "secret", name, secret, previousUntil: null })} />
      ) : null}
      {open?.kind === "rotate" ? (
        <ConfirmDialog
          title={t("hub.sources.rotateTitle", { name: open.source.name })}
          lead={t("hub.sources.rotateLead")}
          keep={t("hub.sources.rotateKeep")}
          act={t("hub.sources.rotateAct")}
          onAct={async () => {
            const made = await hub.server.rotateSource(open.source.name);
            setOpen({ kind: "secret", name: made.name, secret: made.secret, previousUntil: made.previous_until });
            await hub.sources.refresh();
          }}
          onClose={close}
        />
      ) : null}
      {open?.kind === "remove" ? (
        <ConfirmDialog
          title={t("hub.sources.removeTitle", { name: open.source.name })}
          lead={t("hub.sources.removeLead")}
          keep={t("hub.sources.removeKeep")}
          act={t("hub.sources.removeAct")}
          onAct={async () => {
            await hub.server.removeSource(open.source.name);
            close();
            await hub.sources.refresh();
          }}
          onClose={close}
        />
      ) : null}
      {open?.kind === "secret" ? (
        <SecretDialog
          title={t("hub.sources.secretTitle", { name: open.name })}
          lead={
            open.previousUntil === null
              ? t("hub.sources.secretLead", { name: open.name })
              : t("hub.sources.secretRotated", { until: fullMoment(open.previousUntil) })
          }
          secret={open.secret}
          onClose={close}
        />
      ) : null}
    </>
  );
}

function SourceCard({ source, onOpen }: { readonly source: Source; readonly onOpen: (open: Open) => void }) {
  const { t } = useTranslation();
  const now = useNow(60_000);
  return (
    <li className="hub-card" aria-label={source.name}>
      <header>
        <b className="mono cut">{source.name}</b>
        {source.from_environment ? <span className="tag">NEXUS_SECRET</span> : null}
        <span className="num text-ink-3" title={fullMoment(source.rotated)}>
          {t("hub.sources.since", { when: shortMoment(source.rotated, now) })}
        </span>
      </header>
      <p className="hub-patterns">
        {source.events.map((pattern) => (
          <code key={pattern}>{pattern}</code>
        ))}
      </p>
      <p className="text-ink-2">
        {t(source.reads ? "hub.sources.reads" : "hub.sources.readsNot")}{" "}
        {t(source.demands_timestamp ? "hub.sources.demands" : "hub.sources.demandsNot")}
      </p>
      {source.previous_until !== null && source.previous_until > now ? (
        <p className="wait-news">{t("hub.sources.previous", { until: fullMoment(source.previous_until) })}</p>
      ) : null}
      {source.from_environment ? (
        <p className="fine">{t("hub.sources.environment")}</p>
      ) : (
        <div className="acts">
          <Button onClick={() => onOpen({ kind: "rotate", source })}>{t("hub.sources.rotate")}</Button>
          <Button onClick={() => onOpen({ kind: "remove", source })}>{t("hub.sources.remove")}</Button>
        </div>
      )}
    </li>
  );
}

interface AddDialogProps {
  readonly onClose: () => void;
  readonly onAdded: (name: string, secret: string) => void;
}

function AddDialog({ onClose, onAdded }: AddDialogProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const { working, failure, onSubmit } = useSubmit(async (form) => {
    const made = await hub.server.addSource({
      name: String(form.get("name")).trim(),
      events: patternsIn(String(form.get("events"))),
      reads: form.has("reads"),
      demands_timestamp: form.has("demands"),
    });
    onAdded(made.name, made.secret);
    await hub.sources.refresh();
  });
  return (
    <Dialog wide title={t("hub.sources.addTitle")} lead={t("hub.sources.addLead")} onClose={onClose}>
      <form className="dialog-body" onSubmit={onSubmit}>
        <TextField
          label={t("hub.sources.name")}
          name="name"
          required
          maxLength={64}
          hint={t("hub.sources.nameHint")}
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
        <TextField
          label={t("hub.sources.events")}
          name="events"
          required
          defaultValue="*"
          hint={t("hub.patternsHint")}
          autoComplete="off"
          spellCheck={false}
        />
        <label className="hub-check">
          <input type="checkbox" name="reads" />
          <span>
            {t("hub.sources.mayRead")}
            <small>{t("hub.sources.mayReadHint")}</small>
          </span>
        </label>
        <label className="hub-check">
          <input type="checkbox" name="demands" />
          <span>
            {t("hub.sources.demand")}
            <small>{t("hub.sources.demandHint")}</small>
          </span>
        </label>
        <FormError>{failure}</FormError>
        <div className="dialog-actions mt-0!">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" tone="main" working={working}>
            {t("hub.sources.addAct")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
