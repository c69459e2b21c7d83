import { useTranslation } from "../../i18n/useTranslation.ts";
import { number, stub } from "./formats.ts";
import { Bad } from "./LookUp.tsx";
import { PartMark, ProofMark } from "./marks.tsx";
import { proofParts } from "./treeLayout.ts";
import type { Selection } from "./useSelection.ts";

/** Steps shown one by one; longer proofs fold the middle of the way. */
const STEPS_MAX = 9;
const SHOWN_BELOW = 6;
const HASH_BYTES = 32;

/** The proof of the chosen entry, step by step: the picture as text. */
export function ProofPanel({ size, root, selection }: { readonly size: number; readonly root: string; readonly selection: Selection }) {
  const { t } = useTranslation();
  const { index, proof, fault } = selection;
  if (index === null) {
    return (
      <div className="steps">
        <p>{t("audit.tree.choose")}</p>
      </div>
    );
  }
  const title = t("audit.tree.proofTitle", { index: number(index) });
  if (fault) {
    return (
      <div className="steps">
        <h3>{title}</h3>
        <Bad fault={fault} />
      </div>
    );
  }
  if (!proof) {
    return (
      <div className="steps" aria-busy="true">
        <h3>{title}</h3>
        <p>{t("audit.tree.asking")}</p>
      </div>
    );
  }
  const parts = proofParts(size, index);
  const steps = parts.map((range, at) => ({ range, hash: proof.path[at] ?? "" }));
  const folded = steps.length > STEPS_MAX ? steps.length - SHOWN_BELOW - 1 : 0;
  const shown = folded > 0 ? [...steps.slice(0, SHOWN_BELOW), null, ...steps.slice(-1)] : steps;
  return (
    <div className="steps">
      <h3>{title}</h3>
      <p className="num">
        {steps.length === 0
          ? t("audit.tree.alone")
          : t("audit.tree.proofLead", { count: steps.length, bytes: number(steps.length * HASH_BYTES) })}
      </p>
      <ol>
        <li>
          <PartMark of="computed" />
          <b>{t("audit.fault.entry", { index: number(index) })}</b>
          <span className="mono">{stub(proof.hash)}</span>
        </li>
        {shown.map((step) =>
          step ? (
            <li key={step.range[0]}>
              <PartMark of="given" />
              <span>
                {step.range[1] === 1
                  ? t("audit.tree.withOne", { index: number(step.range[0]) })
                  : t("audit.tree.withRange", { from: number(step.range[0]), to: number(step.range[0] + step.range[1] - 1) })}
              </span>
              <span className="mono">{stub(step.hash)}</span>
            </li>
          ) : (
            <li key="folded">
              <PartMark of="given" />
              <span>{t("audit.tree.more", { count: folded })}</span>
              <span className="mono">{t("audit.tree.bytes", { count: folded * HASH_BYTES })}</span>
            </li>
          ),
        )}
        {steps.length > 0 ? (
          <li>
            <PartMark of="computed" />
            <b>{t("audit.tree.rootOf", { size: number(size) })}</b>
            <span className="mono">{stub(root)}</span>
          </li>
        ) : null}
      </ol>
      <p className="state">
        <ProofMark of="good" /> {t("audit.tree.good")}
      </p>
    </div>
  );
}
