import { useEffect, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { number, stub } from "./formats.ts";
import { type Mark, ProofMark } from "./marks.tsx";
import { type CosignerHealth, readCosigners } from "./server.ts";
import type { ListedKey, Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";

/** Who signs: each cosigner's signature under the latest head, verified here, and under the newest heads. */
export function Cosigners({ report }: { readonly report: Report }) {
  const { t } = useTranslation();
  const [health, setHealth] = useState<readonly CosignerHealth[]>([]);
  useEffect(() => {
    let gone = false;
    // The cards say what was verified; how a cosigner does now is a hint beside it and may be missing.
    readCosigners().then(
      (answer) => {
        if (!gone) setHealth(answer);
      },
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, []);
  const keys = report.document?.cosigners.filter((key) => key.until === null) ?? [];
  const bars = report.newest.length;
  const lead = !report.latest
    ? t("audit.cosigners.none")
    : bars > 0
      ? t("audit.cosigners.lead", { count: bars })
      : t("audit.cosigners.rule");
  return (
    <Part id="cosigners" title={t("audit.parts.cosigners")} lead={lead}>
      <div className="cosigners">
        {keys.map((key) => (
          <Card key={key.cosigner} listed={key} all={keys} report={report} health={health.find((one) => one.cosigner === key.cosigner)} />
        ))}
      </div>
    </Part>
  );
}

interface CardProps {
  readonly listed: ListedKey;
  readonly all: readonly ListedKey[];
  readonly report: Report;
  readonly health: CosignerHealth | undefined;
}

function Card({ listed, all, report, health }: CardProps) {
  const { t } = useTranslation();
  const { cosigner, operator, url } = listed;
  const size = report.latest ? number(report.latest.tree_size) : "";
  const signer = report.signers.find((one) => one.cosigner === cosigner);
  const [mark, words]: [Mark, string] = !report.latest
    ? ["open", ""]
    : !signer
      ? ["warn", health && health.state !== "healthy" ? t(`audit.cosigners.${health.state}`) : t("audit.cosigners.not", { size })]
      : !signer.known
        ? ["broken", t("audit.cosigners.unknown")]
        : signer.valid
          ? ["good", t("audit.cosigners.signed", { size })]
          : ["broken", t("audit.cosigners.bad")];
  const alone = all.filter((other) => other.operator === operator).length === 1;
  const who = operator === "this server" ? t("audit.cosigners.here") : operator;
  const bars = report.newest.map((head) => head.cosigners.includes(cosigner));
  return (
    <article className="cosigner" data-mark={mark}>
      <header>
        <ProofMark of={mark} />
        <b className="cut">{alone && operator !== "this server" ? operator : cosigner}</b>
        <span>{words}</span>
      </header>
      <p className="cut">
        {url
          ? t("audit.cosigners.at", { cosigner, operator: who, host: host(url) })
          : t("audit.cosigners.runBy", { cosigner, operator: who })}
      </p>
      <div className="ticks" aria-hidden="true">
        {report.newest.map((head, index) => (
          <i key={head.tree_size} data-signed={bars[index]} />
        ))}
      </div>
      <footer className="num">
        <span>{bars.length > 0 ? t("audit.cosigners.bars", { count: bars.filter(Boolean).length, all: bars.length }) : ""}</span>
        <span className="mono" title={t("audit.cosigners.key", { key: listed.public_key })}>
          {stub(listed.public_key)}
        </span>
      </footer>
    </article>
  );
}

function host(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
