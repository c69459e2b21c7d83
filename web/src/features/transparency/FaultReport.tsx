import { Download, RefreshCw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { type Fault, isAgainstMemory } from "./faults.ts";
import { counted, fullMoment, number, stub } from "./formats.ts";
import { ProofMark } from "./marks.tsx";
import { save } from "./save.ts";
import type { Head, Report } from "./shapes.ts";
import { TrustAnewDialog } from "./TrustAnewDialog.tsx";
import type { AuditHandle } from "./useAudit.ts";

/** Bad news: what it is, exactly where, what it means, what to do. */
export function FaultReport({ audit, report }: { readonly audit: AuditHandle; readonly report: Report }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const fault = report.fault;
  if (!fault) return null;
  const silent = fault.code === "unreachable";
  const saveEvidence = async () => {
    const answers = await audit.verifier?.ask("evidence", {});
    save("nexus-log-evidence.json", { report, answers });
  };
  return (
    <div role="alert" data-fault={fault.code}>
      <ProofMark of={silent ? "warn" : "broken"} className="seal" />
      <h1 id="verdict-title" tabIndex={-1}>
        {t(`faults.${fault.code}.title`)}
      </h1>
      <p className="lead">{t(`faults.${fault.code}.means`)}</p>
      {isAgainstMemory(fault.code) && report.seen ? <BothHeads report={report} /> : null}
      <dl className="fault">
        <div>
          <dt>{t("audit.fault.exact")}</dt>
          <dd>
            <Place fault={fault} /> <span className="text-ink-3">{fault.detail}</span> <code className="code">{fault.code}</code>
          </dd>
        </div>
        <div>
          <dt>{t("audit.fault.todo")}</dt>
          <dd>{t(`faults.${fault.code}.todo`)}</dd>
        </div>
      </dl>
      <div className="flex flex-wrap gap-2">
        {silent ? (
          <Button tone="main" icon={<Icon of={RefreshCw} />} onClick={audit.check}>
            {t("action.tryAgain")}
          </Button>
        ) : (
          <Button tone="main" icon={<Icon of={Download} />} onClick={() => void saveEvidence()}>
            {t("audit.evidence")}
          </Button>
        )}
        {isAgainstMemory(fault.code) ? <Button onClick={() => setAsking(true)}>{t("audit.fault.trust")}</Button> : null}
      </div>
      {asking ? <TrustAnewDialog audit={audit} onClose={() => setAsking(false)} /> : null}
    </div>
  );
}

/** The entry or the head at fault. */
export function Place({ fault }: { readonly fault: Fault }) {
  const { t } = useTranslation();
  const places = [
    ...(fault.leaf_index === null ? [] : [t("audit.fault.entry", { index: number(fault.leaf_index) })]),
    ...(fault.tree_size === null ? [] : [t("audit.fault.head", { size: number(fault.tree_size) })]),
  ];
  return places.length > 0 ? <b className="num">{places.join(", ")}.</b> : null;
}

function BothHeads({ report }: { readonly report: Report }) {
  const { t } = useTranslation();
  return (
    <div className="heads">
      <HeadCard title={t("audit.fault.seen")} head={report.seen?.head ?? null} logId={report.seen?.document.log_id ?? ""} />
      <HeadCard title={t("audit.fault.shown")} head={report.latest} logId={report.document?.log_id ?? ""} />
    </div>
  );
}

function HeadCard({ title, head, logId }: { readonly title: string; readonly head: Head | null; readonly logId: string }) {
  const { t } = useTranslation();
  return (
    <div>
      <h3>{title}</h3>
      {head ? (
        <>
          <p className="num">{t("audit.fault.entries", counted(head.tree_size))}</p>
          <p className="mono">{stub(head.root, 4)} …</p>
          <p>{fullMoment(head.timestamp * 1_000)}</p>
        </>
      ) : (
        <p>{t("audit.fault.none")}</p>
      )}
      {logId ? (
        <p>
          {t("audit.memory.log")} <span className="mono">{stub(logId)}</span>
        </p>
      ) : null}
    </div>
  );
}
