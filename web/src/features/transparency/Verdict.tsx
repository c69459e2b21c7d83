import { Check, Copy, Download, RefreshCw, X } from "lucide-react";
import { useEffect, useId, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { IconButton } from "../../ui/IconButton.tsx";
import { SIGNATURES_DEFAULT } from "./audit.ts";
import { FaultReport } from "./FaultReport.tsx";
import { counted, fullMoment, number, plainDay, size, span, took } from "./formats.ts";
import { type Mark, ProofMark } from "./marks.tsx";
import { save } from "./save.ts";
import type { KeyDocument, Progress, Report } from "./shapes.ts";
import type { AuditHandle } from "./useAudit.ts";
import { useNow } from "./useNow.ts";

/** Measured: bytes of an entry with its head, entries recomputed and heads checked in a second. */
const ENTRY_BYTES = 700;
const ENTRIES_PER_S = 20_000;
const HEADS_PER_S = 5_000;

/** The head of the page: what was found, in a sentence, or how far it is. */
export function Verdict({ audit }: { readonly audit: AuditHandle }) {
  const { t } = useTranslation();
  const { state } = audit;
  const report = state.step === "done" ? state.report : null;
  return (
    <section id="verdict" className="verdict" aria-labelledby="verdict-title">
      <div className="min-w-0">
        {report ? <Found audit={audit} report={report} /> : null}
        {state.step === "opening" ? <Headline mark="open" title={t("audit.checking")} /> : null}
        {state.step === "running" ? <Running progress={state.progress} onStop={audit.stop} /> : null}
        {state.step === "ready" ? <Ready size={state.size} onCheck={audit.check} /> : null}
        {state.step === "crashed" ? (
          <Headline mark="warn" title={t("audit.crashed")} lead={t("audit.crashedLead", { why: state.why })} />
        ) : null}
      </div>
      <Yourself audit={audit} report={report} />
    </section>
  );
}

interface HeadlineProps {
  readonly mark: Mark;
  readonly title: string;
  readonly lead?: string;
}

function Headline({ mark, title, lead }: HeadlineProps) {
  return (
    <>
      <ProofMark of={mark} className="seal" />
      <h1 id="verdict-title" tabIndex={-1}>
        {title}
      </h1>
      {lead ? <p className="lead">{lead}</p> : null}
    </>
  );
}

function Ready({ size: entries, onCheck }: { readonly size: number; readonly onCheck: () => void }) {
  const { t } = useTranslation();
  const seconds = entries / ENTRIES_PER_S + Math.min(entries, SIGNATURES_DEFAULT) / HEADS_PER_S;
  const lead = t("audit.readyLead", { size: number(entries), bytes: size(entries * ENTRY_BYTES), time: took(seconds * 1_000) });
  return (
    <>
      <Headline mark="open" title={t("audit.ready")} lead={lead} />
      <div className="mt-5">
        <Button tone="main" onClick={onCheck}>
          {t("audit.check")}
        </Button>
      </div>
    </>
  );
}

function Running({ progress, onStop }: { readonly progress: Progress | null; readonly onStop: () => void }) {
  const { t } = useTranslation();
  const { phase, leaves, size: all, signatures, signaturesAll, bytes } = progress ?? NOTHING;
  const share = phase === "signatures" ? signatures / Math.max(1, signaturesAll) : leaves / Math.max(1, all);
  const lead =
    phase === "asking" || all === 0
      ? t("audit.asking")
      : phase === "entries"
        ? t("audit.entries", { done: number(leaves), all: number(all), bytes: size(bytes) })
        : t("audit.signatures", { all: number(all), done: number(signatures), heads: number(signaturesAll) });
  return (
    <>
      <Headline mark="open" title={t("audit.checking")} />
      <p className="lead num">{lead}</p>
      <div className="progress">
        <div
          role="progressbar"
          aria-label={t("audit.progress")}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
        >
          <i style={{ inlineSize: `${share * 100}%` }} />
        </div>
        <Button icon={<Icon of={X} />} onClick={onStop}>
          {t("audit.stop")}
        </Button>
      </div>
    </>
  );
}

const NOTHING: Progress = { phase: "asking", size: 0, leaves: 0, signatures: 0, signaturesAll: 0, bytes: 0 };

function Found({ audit, report }: { readonly audit: AuditHandle; readonly report: Report }) {
  const { t } = useTranslation();
  if (report.verdict === "fault") return <FaultReport audit={audit} report={report} />;
  if (report.verdict === "cancelled") {
    return <Headline mark="open" title={t("audit.stopped")} lead={t("audit.stoppedLead", { leaves: number(report.leaves) })} />;
  }
  if (report.verdict === "empty") return <Headline mark="open" title={t("audit.empty")} lead={t("audit.emptyLead")} />;
  return <Consistent audit={audit} report={report} />;
}

function Consistent({ audit, report }: { readonly audit: AuditHandle; readonly report: Report }) {
  const { t } = useTranslation();
  const { seen, document } = report;
  const more = report.leaves - (seen?.head.tree_size ?? 0);
  const words = {
    leaves: number(report.leaves),
    time: took(report.tookMs),
    first: seen ? plainDay(seen.first) : "",
    when: seen ? fullMoment(seen.last) : "",
    ...counted(more),
  };
  const lead = seen ? (more > 0 ? t("audit.grownLead", words) : t("audit.sameLead", words)) : t("audit.firstLead", words);
  const all = report.signaturesChecked >= report.heads;
  const caveat = document ? caveatOf(document) : null;
  return (
    <div role="status">
      <Headline mark="good" title={t("audit.consistent")} lead={lead} />
      {caveat ? (
        <p className="aside-note">
          <ProofMark of="warn" />
          <span>
            <b>{t(`audit.${caveat}`)}</b> {t(`audit.${caveat}Lead`)}
          </span>
        </p>
      ) : null}
      <Facts report={report} />
      <p className="fine">
        {all ? t("audit.allSignatures", counted(report.heads)) : t("audit.newSignatures", { n: number(report.signaturesChecked) })}
        {audit.kept ? "" : ` ${t("audit.notKept")}`}
      </p>
    </div>
  );
}

/** What the signatures do not rule out: any two quorums of three share a cosigner. */
function caveatOf(document: KeyDocument): "single" | "ownKey" | null {
  if (document.single_operator) return "single";
  return document.operators.includes("this server") ? "ownKey" : null;
}

function Facts({ report }: { readonly report: Report }) {
  const { t } = useTranslation();
  const now = useNow();
  const { document, latest } = report;
  const current = document?.cosigners.filter((key) => key.until === null).length ?? 0;
  const valid = report.signers.filter((signer) => signer.valid).length;
  const ago = latest ? Math.max(0, now / 1_000 - latest.timestamp) : 0;
  return (
    <dl className="facts">
      <div>
        <dt>{t("audit.facts.head")}</dt>
        <dd>{number(report.leaves)}</dd>
      </div>
      <div>
        <dt>{t("audit.facts.signedBy")}</dt>
        <dd>
          {t("audit.facts.of", { count: valid, all: current })} <small>{t("audit.facts.needs")}</small>
        </dd>
      </div>
      <div>
        <dt>{t("audit.facts.operators")}</dt>
        <dd>
          {number(document?.operators.length ?? 0)}{" "}
          <small>{document?.single_operator ? t("audit.facts.oneHand") : t("audit.facts.independent")}</small>
        </dd>
      </div>
      <div>
        <dt>{t("audit.facts.signed")}</dt>
        <dd>
          {latest ? (
            <time dateTime={new Date(latest.timestamp * 1_000).toISOString()} title={fullMoment(latest.timestamp * 1_000)}>
              {ago < 1 ? t("tools.now") : t("tools.ago", { time: span(ago) })}
            </time>
          ) : null}
        </dd>
      </div>
    </dl>
  );
}

/** How to check without this page, and what can be done with it. */
function Yourself({ audit, report }: { readonly audit: AuditHandle; readonly report: Report | null }) {
  const { t } = useTranslation();
  const id = useId();
  const [copied, setCopied] = useState(false);
  const command = `nexus log verify ${location.origin}`;
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  const running = audit.state.step === "running" || audit.state.step === "opening";
  return (
    <div className="self">
      <h2>{t("audit.self")}</h2>
      <p>{t("audit.selfLead")}</p>
      <div className="cmd">
        <code className="cut">{command}</code>
        <IconButton
          icon={copied ? Check : Copy}
          small
          label={copied ? t("audit.copied") : t("audit.copyCommand")}
          onClick={() => void navigator.clipboard?.writeText(command).then(() => setCopied(true))}
        />
      </div>
      <div className="pair">
        {report ? (
          <Button tone="main" icon={<Icon of={RefreshCw} />} onClick={audit.check}>
            {t("audit.again")}
          </Button>
        ) : null}
        {report && report.verdict !== "fault" ? (
          <Button icon={<Icon of={Download} />} onClick={() => save("nexus-audit.json", report)}>
            {t("audit.export")}
          </Button>
        ) : null}
      </div>
      <label className="every" htmlFor={id}>
        <input
          id={id}
          type="checkbox"
          checked={audit.everySignature}
          disabled={running}
          onChange={(event) => audit.setEverySignature(event.target.checked)}
        />
        <span>
          {t("audit.everySignature")}
          <small>{t("audit.everySignatureHint", { n: number(SIGNATURES_DEFAULT), time: took((100_000 / HEADS_PER_S) * 1_000) })}</small>
        </span>
      </label>
    </div>
  );
}
