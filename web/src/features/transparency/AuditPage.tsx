import "../../i18n/addTransparencyWords.ts";
import { Fingerprint, History, KeyRound, ListTree, PenLine, Rows3, ScanSearch } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Cosigners } from "./Cosigners.tsx";
import { DemoKeys, type Said } from "./DemoKeys.tsx";
import { EntryTable } from "./EntryTable.tsx";
import { number } from "./formats.ts";
import { LookUp } from "./LookUp.tsx";
import { MemoryPart } from "./MemoryPart.tsx";
import { ProofMark } from "./marks.tsx";
import type { Report } from "./shapes.ts";
import { type Section, ToolFrame } from "./ToolFrame.tsx";
import { TreeExplorer } from "./TreeExplorer.tsx";
import { type AuditHandle, useAudit } from "./useAudit.ts";
import { useSelection } from "./useSelection.ts";
import { Verdict } from "./Verdict.tsx";
import type { Verifier } from "./verifier.ts";

/** Anybody's check of the key log: the browser reads it whole and recomputes it. */
export function AuditPage() {
  const { t } = useTranslation();
  const audit = useAudit();
  const [said, setSaid] = useState<Said>(null);
  const report = audit.state.step === "done" ? audit.state.report : null;
  const good = report?.verdict === "consistent" ? report : null;
  const open = report?.verdict === "empty" ? report : good;
  const sections: Section[] = [
    { id: "verdict", label: t("audit.parts.verdict"), icon: ScanSearch },
    ...(report?.document
      ? [{ id: "cosigners", label: t("audit.parts.cosigners"), icon: PenLine, ...(limps(report) ? { end: <ProofMark of="warn" /> } : {}) }]
      : []),
    ...(good
      ? [
          { id: "identity", label: t("audit.parts.identity"), icon: Fingerprint, end: number(good.ids) },
          { id: "tree", label: t("audit.parts.tree"), icon: ListTree },
          { id: "log", label: t("audit.parts.log"), icon: Rows3, end: number(good.leaves) },
        ]
      : []),
    ...(open ? [{ id: "keys", label: t("audit.parts.keys"), icon: KeyRound }] : []),
    { id: "memory", label: t("audit.parts.checks"), icon: History },
  ];
  return (
    <ToolFrame page="audit" title={t("audit.title")} sections={sections}>
      <Verdict audit={audit} />
      {report?.document ? <Cosigners report={report} /> : null}
      {open && audit.verifier ? (
        <Explored key={open.at} report={open} verifier={audit.verifier} audit={audit} said={said} onSay={setSaid} />
      ) : null}
      <MemoryPart audit={audit} report={report} />
    </ToolFrame>
  );
}

interface ExploredProps {
  readonly report: Report;
  readonly verifier: Verifier;
  readonly audit: AuditHandle;
  readonly said: Said;
  readonly onSay: (said: Said) => void;
}

/** What there is to look at in a log that was found good. */
function Explored({ report, verifier, audit, said, onSay }: ExploredProps) {
  const selection = useSelection(verifier, report.leaves);
  const [wanted, setWanted] = useState("");
  return (
    <>
      {report.leaves > 0 ? (
        <>
          <LookUp report={report} verifier={verifier} wanted={wanted} onShow={selection.select} />
          <TreeExplorer report={report} verifier={verifier} selection={selection} />
          <EntryTable report={report} verifier={verifier} selection={selection} />
        </>
      ) : null}
      <DemoKeys report={report} verifier={verifier} onLookUp={setWanted} onRegistered={audit.check} said={said} onSay={onSay} />
    </>
  );
}

/** Does a cosigner miss the latest head? */
function limps(report: Report): boolean {
  if (!report.latest) return false;
  const current = report.document?.cosigners.filter((key) => key.until === null) ?? [];
  return current.some((key) => !report.signers.some((signer) => signer.cosigner === key.cosigner && signer.valid));
}
