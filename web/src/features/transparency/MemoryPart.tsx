import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { fullMoment, number, stub } from "./formats.ts";
import { ProofMark } from "./marks.tsx";
import type { Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";
import { TrustAnewDialog } from "./TrustAnewDialog.tsx";
import type { AuditHandle } from "./useAudit.ts";

/** What was seen before, and how to forget it. */
export function MemoryPart({ audit, report }: { readonly audit: AuditHandle; readonly report: Report | null }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const { seen } = audit;
  if (!seen) {
    return (
      <Part id="memory" title={t("audit.parts.memory")}>
        <p className="text-ink-2">{t("audit.memory.nothing")}</p>
      </Part>
    );
  }
  return (
    <Part id="memory" title={t("audit.parts.memory")}>
      <p className="text-ink-2">{t("audit.memory.lead")}</p>
      <dl className="facts">
        <div>
          <dt>{t("audit.memory.first")}</dt>
          <dd>{fullMoment(seen.first)}</dd>
        </div>
        <div>
          <dt>{t("audit.memory.last")}</dt>
          <dd>{fullMoment(seen.last)}</dd>
        </div>
        <div>
          <dt>{t("audit.memory.head")}</dt>
          <dd>
            {number(seen.head.tree_size)} <small className="mono">{stub(seen.head.root)}</small>
          </dd>
        </div>
        <div>
          <dt>{t("audit.memory.log")}</dt>
          <dd className="mono">{stub(seen.document.log_id)}</dd>
        </div>
      </dl>
      <div className="mt-4 flex flex-wrap items-center gap-4">
        <Button onClick={() => setAsking(true)}>{t("audit.fault.trust")}</Button>
        {report?.verdict === "consistent" ? (
          <span className="state">
            <ProofMark of="good" /> {t("audit.memory.consistent")}
          </span>
        ) : null}
      </div>
      {asking ? <TrustAnewDialog audit={audit} onClose={() => setAsking(false)} /> : null}
    </Part>
  );
}
