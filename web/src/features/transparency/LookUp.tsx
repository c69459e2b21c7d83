import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Place } from "./FaultReport.tsx";
import { type Fault, FaultError } from "./faults.ts";
import { fullMoment, number, stub } from "./formats.ts";
import { ProofMark } from "./marks.tsx";
import type { Lookup, Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";
import type { Verifier } from "./verifier.ts";

export interface LookUpProps {
  readonly report: Report;
  readonly verifier: Verifier;
  /** An id that another part of the page wants to see. */
  readonly wanted: string;
  readonly onShow: (index: number) => void;
}

type Result =
  | { readonly kind: "none"; readonly id: string }
  | { readonly kind: "found"; readonly id: string; readonly lookup: Lookup }
  | { readonly kind: "bad"; readonly fault: Fault }
  | { readonly kind: "failed"; readonly why: string };

/** Any id: its key, the proof that the log holds it, its history. */
export function LookUp({ report, verifier, wanted, onShow }: LookUpProps) {
  const { t } = useTranslation();
  const [id, setId] = useState("");
  const [working, setWorking] = useState(false);
  const [result, setResult] = useState<Result | null>(null);

  const look = useCallback(
    async (asked: string) => {
      if (!asked) return;
      setWorking(true);
      try {
        const lookup = await verifier.ask("lookup", { id: asked });
        setResult(lookup ? { kind: "found", id: asked, lookup } : { kind: "none", id: asked });
      } catch (why) {
        setResult(why instanceof FaultError ? { kind: "bad", fault: why.fault } : { kind: "failed", why: String(why) });
      } finally {
        setWorking(false);
      }
    },
    [verifier],
  );

  useEffect(() => {
    if (!wanted) return;
    setId(wanted);
    void look(wanted);
    document.getElementById("identity")?.scrollIntoView({ block: "start" });
  }, [wanted, look]);

  return (
    <Part id="identity" title={t("audit.parts.identity")} lead={t("audit.lookup.lead")}>
      <form
        className="lookup"
        onSubmit={(event) => {
          event.preventDefault();
          void look(id.trim());
        }}
      >
        <input
          className="input"
          value={id}
          onChange={(event) => setId(event.target.value)}
          aria-label={t("audit.lookup.label")}
          placeholder={t("audit.lookup.placeholder")}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        />
        <Button type="submit" working={working}>
          {t("audit.lookup.submit")}
        </Button>
      </form>
      <div aria-live="polite">
        {result?.kind === "none" ? (
          <p className="mt-3 text-ink-2">{t("audit.lookup.none", { id: result.id, size: number(report.leaves) })}</p>
        ) : null}
        {result?.kind === "failed" ? <p className="mt-3 text-danger-ink">{t("audit.lookup.failed", { why: result.why })}</p> : null}
        {result?.kind === "bad" ? <Bad fault={result.fault} /> : null}
        {result?.kind === "found" ? <Found {...result} size={report.leaves} onShow={onShow} /> : null}
      </div>
    </Part>
  );
}

/** An answer about one entry that can't be true. */
export function Bad({ fault }: { readonly fault: Fault }) {
  const { t } = useTranslation();
  return (
    <div className="bad" role="alert" data-fault={fault.code}>
      <ProofMark of={fault.code === "unreachable" ? "warn" : "broken"} />
      <div>
        <b>{t(`faults.${fault.code}.title`)}</b>
        <p>{t(`faults.${fault.code}.means`)}</p>
        <p>
          <Place fault={fault} /> {fault.detail} <code className="code">{fault.code}</code>
        </p>
        <p>{t(`faults.${fault.code}.todo`)}</p>
      </div>
    </div>
  );
}

interface FoundProps {
  readonly id: string;
  readonly lookup: Lookup;
  readonly size: number;
  readonly onShow: (index: number) => void;
}

function Found({ id, lookup: { entries, proof }, size, onShow }: FoundProps) {
  const { t } = useTranslation();
  const current = entries.at(-1);
  if (!current) return null;
  return (
    <div className="found">
      <h3 className="cut">{id}</h3>
      <dl className="facts">
        <div>
          <dt>{t("audit.lookup.current")}</dt>
          <dd className="mono" title={current.public_key}>
            {stub(current.public_key, 4)}
          </dd>
        </div>
        <div>
          <dt>{t("audit.lookup.entry")}</dt>
          <dd>{number(current.index)}</dd>
        </div>
        <div>
          <dt>{t("audit.lookup.since")}</dt>
          <dd>{fullMoment(current.timestamp * 1_000)}</dd>
        </div>
      </dl>
      <p className="state">
        <ProofMark of="good" /> {t("audit.lookup.proven", { count: proof.path.length, size: number(size) })}
        <button type="button" className="link-button" onClick={() => show(onShow, current.index)}>
          {t("audit.lookup.inTree")}
        </button>
      </p>
      <h4>{t("audit.lookup.history")}</h4>
      <ol className="history">
        {entries.toReversed().map((entry) => (
          <li key={entry.index}>
            <button type="button" className="link-button num" onClick={() => show(onShow, entry.index)}>
              {number(entry.index)}
            </button>
            <span>{entry.rotated ? t("audit.log.rotatedLong") : t("audit.log.registered")}</span>
            <span className="mono">{stub(entry.public_key)}</span>
            <time dateTime={new Date(entry.timestamp * 1_000).toISOString()}>{fullMoment(entry.timestamp * 1_000)}</time>
          </li>
        ))}
      </ol>
    </div>
  );
}

function show(onShow: (index: number) => void, index: number): void {
  onShow(index);
  document.getElementById("tree")?.scrollIntoView({ block: "start" });
}
