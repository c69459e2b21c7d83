/** Small parts that several parts of the hub show. */
import { LoggedOutError } from "@nexus/sdk/rest/errors";
import { Check, Copy } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { AlertMark } from "../../ui/AlertMark.tsx";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { type Json, tokensOf } from "./exactJson.ts";
import type { Asked } from "./resource.ts";

/** A type with its namespace set back. */
export function TypeName({ of }: { readonly of: string }) {
  const at = of.indexOf(":") + 1;
  return (
    <span className="hub-type">
      <span>{of.slice(0, at)}</span>
      {of.slice(at)}
    </span>
  );
}

/** JSON over several lines, in the colours of code. */
export function Payload({ of, label }: { readonly of: Json; readonly label: string }) {
  return (
    <Code label={label}>
      {tokensOf(of).map((token, at) =>
        token.kind === "plain" ? (
          token.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: The pieces of one text, in its order.
          <span key={at} data-kind={token.kind}>
            {token.text}
          </span>
        ),
      )}
    </Code>
  );
}

/** Text of machines, in a place that scrolls. */
export function Code({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: It scrolls, so the keyboard must reach it.
    <section className="hub-code" tabIndex={0} aria-label={label}>
      <pre>{children}</pre>
    </section>
  );
}

const COPIED_MS = 2_000;

/** Copies a text and says so; where the browser does not allow it, shows the text to be copied by hand. */
export function CopyButton({ text, label, tone }: { readonly text: string; readonly label: string; readonly tone?: "main" }) {
  const { t } = useTranslation();
  const [state, setState] = useState<"ready" | "copied" | "refused">("ready");
  useEffect(() => {
    if (state !== "copied") return;
    const timer = setTimeout(() => setState("ready"), COPIED_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = () => {
    const writing = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    writing.then(
      () => setState("copied"),
      () => setState("refused"),
    );
  };
  return (
    <>
      <Button icon={<Icon of={state === "copied" ? Check : Copy} />} onClick={copy} {...(tone ? { tone } : {})}>
        <span aria-live="polite">{state === "copied" ? t("action.copied") : label}</span>
      </Button>
      {state === "refused" ? (
        <Dialog wide title={t("hub.copy.byHand")} lead={t("hub.copy.byHandLead")} onClose={() => setState("ready")}>
          <textarea
            className="input mono mt-3"
            rows={10}
            readOnly
            value={text}
            aria-label={label}
            onFocus={(event) => event.target.select()}
          />
        </Dialog>
      ) : null}
    </>
  );
}

export interface ReadProps<T> {
  readonly of: Asked<T>;
  readonly onRetry: () => void;
  readonly onAskAgain: () => void;
  /** What is said while there is nothing. */
  readonly label: string;
  readonly children: (value: T) => ReactNode;
}

/** What was read; before that a place for it, and when reading failed why. What was read before stays readable. */
export function Read<T>({ of, onRetry, onAskAgain, label, children }: ReadProps<T>) {
  return (
    <>
      {of.failure ? <Failed failure={of.failure} onRetry={onRetry} onAskAgain={onAskAgain} /> : null}
      {of.value !== undefined ? children(of.value) : of.failure ? null : <ListSkeleton label={label} rows={6} />}
    </>
  );
}

export interface FailedProps {
  readonly failure: unknown;
  readonly onRetry: () => void;
  readonly onAskAgain: () => void;
}

/** That something could not be read, why, and what to do. */
export function Failed({ failure, onRetry, onAskAgain }: FailedProps) {
  const { t } = useTranslation();
  const isOver = failure instanceof LoggedOutError || (failure as { status?: number } | null)?.status === 401;
  return (
    <p className="hub-failed" role="alert">
      <AlertMark />
      <span>{isOver ? t("hub.who.over") : sentenceOf(failure)}</span>
      <button type="button" className="link-button" onClick={isOver ? onAskAgain : onRetry}>
        {t("action.tryAgain")}
      </button>
    </p>
  );
}

/** What went wrong with the last press of a button, beside it. */
export function Refusal({ children }: { readonly children: string | null }) {
  return (
    <div role="alert">
      {children ? (
        <p className="hub-failed">
          <AlertMark />
          <span>{children}</span>
        </p>
      ) : null}
    </div>
  );
}

export interface SecretDialogProps {
  readonly title: string;
  readonly lead: string;
  readonly secret: string;
  readonly onClose: () => void;
}

/** A secret, shown this once. */
export function SecretDialog({ title, lead, secret, onClose }: SecretDialogProps) {
  const { t } = useTranslation();
  return (
    <Dialog wide title={title} lead={lead} onClose={onClose}>
      <div className="dialog-body">
        <div className="hub-secret">
          <input
            className="input mono"
            readOnly
            value={secret}
            aria-label={t("hub.secret.label")}
            onFocus={(event) => event.target.select()}
          />
          <CopyButton text={secret} label={t("tools.copy")} tone="main" />
        </div>
        <p className="text-ink-2">{t("hub.secret.once")}</p>
      </div>
      <div className="dialog-actions">
        <Button onClick={onClose}>{t("hub.secret.done")}</Button>
      </div>
    </Dialog>
  );
}

/** Types and patterns as they are typed: between spaces or commas. */
export const patternsIn = (text: string): readonly string[] => text.split(/[\s,]+/).filter((word) => word !== "");
