import "../../i18n/addTransparencyWords.ts";
import { Link } from "@tanstack/react-router";
import { Activity, ChartColumn, ListTree, Pause, PenLine, Play } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { clockTime, fullMoment, number, span, stub } from "./formats.ts";
import { Growth } from "./Growth.tsx";
import { Metrics } from "./Metrics.tsx";
import { type Mark, ProofMark } from "./marks.tsx";
import type { CosignerHealth } from "./server.ts";
import { Part, ToolFrame } from "./ToolFrame.tsx";
import { useNow } from "./useNow.ts";
import { REFRESH_S, type ServerState, useServer } from "./useServer.ts";

const WEEK = 168;

/** How the key log does: for who runs the server, and open to whoever wants to know. */
export function AdminPage() {
  const { t } = useTranslation();
  const [paused, setPaused] = useState(false);
  const [period, setPeriod] = useState(WEEK);
  const server = useServer(period, paused);
  const sections = [
    { id: "head", label: t("admin.parts.head"), icon: ListTree },
    { id: "cosigners", label: t("admin.parts.cosigners"), icon: PenLine },
    { id: "registrations", label: t("admin.parts.registrations"), icon: ChartColumn },
    { id: "metrics", label: t("admin.parts.metrics"), icon: Activity },
  ];
  return (
    <ToolFrame page="admin" title={t("admin.title")} sections={sections}>
      <header className="tool-head">
        <div>
          <h1>{t("admin.title")}</h1>
          <p className="text-ink-3">{t("admin.lead", { seconds: REFRESH_S })}</p>
        </div>
        <span className="flex-1" />
        <p className="num text-ink-3" role="status">
          {server.failedAt ? (
            <span className="state" data-tone="warn">
              <ProofMark of="warn" /> {t("admin.failed", { time: clockTime(server.failedAt) })}
            </span>
          ) : server.at ? (
            t("admin.updated", { when: clockTime(server.at) })
          ) : null}
        </p>
        <Button icon={<Icon of={paused ? Play : Pause} />} onClick={() => setPaused(!paused)}>
          {paused ? t("admin.resume") : t("admin.paused")}
        </Button>
      </header>
      <LatestHead server={server} />
      <Part id="cosigners" title={t("admin.parts.cosigners")}>
        <ul className="health">
          {(server.cosigners ?? []).map((cosigner) => (
            <HealthRow key={cosigner.cosigner} cosigner={cosigner} />
          ))}
        </ul>
      </Part>
      <Growth server={server} period={period} onPeriod={setPeriod} />
      <Metrics paused={paused} />
    </ToolFrame>
  );
}

function LatestHead({ server }: { readonly server: ServerState }) {
  const { t } = useTranslation();
  const now = useNow();
  const { head, health } = server;
  if (head === undefined)
    return (
      <Part id="head" title={t("admin.parts.head")}>
        {null}
      </Part>
    );
  if (head === null) {
    return (
      <Part id="head" title={t("admin.parts.head")}>
        <p className="font-semibold">{t("admin.noHead")}</p>
        <p className="mb-3 text-ink-2">{t("admin.noHeadLead")}</p>
        <Link to="/audit" className="button">
          {t("admin.toAudit")}
        </Link>
      </Part>
    );
  }
  const ago = Math.max(0, now / 1_000 - head.timestamp);
  return (
    <Part id="head" title={t("admin.parts.head")}>
      <dl className="facts mt-0!">
        <div>
          <dt>{t("admin.facts.entries")}</dt>
          <dd>{number(head.tree_size)}</dd>
        </div>
        {health ? (
          <>
            <div>
              <dt>{t("admin.facts.identities")}</dt>
              <dd>{number(health.users_count)}</dd>
            </div>
            <div>
              <dt>{t("admin.facts.heads")}</dt>
              <dd>{number(health.sth_count)}</dd>
            </div>
          </>
        ) : null}
        <div>
          <dt>{t("admin.facts.signed")}</dt>
          <dd>
            <time dateTime={new Date(head.timestamp * 1_000).toISOString()} title={fullMoment(head.timestamp * 1_000)}>
              {ago < 1 ? t("tools.now") : t("tools.ago", { time: span(ago) })}
            </time>
          </dd>
        </div>
        {health ? (
          <div>
            <dt>{t("admin.facts.healthy")}</dt>
            <dd>{health.uptime === undefined ? t("admin.facts.running") : t("admin.facts.up", { time: span(health.uptime) })}</dd>
          </div>
        ) : null}
      </dl>
      <dl className="pairs">
        <div>
          <dt>{t("admin.facts.root")}</dt>
          <dd className="mono">{stub(head.root, 8)} …</dd>
        </div>
        <div>
          <dt>{t("admin.facts.before")}</dt>
          <dd className="mono">{head.prev_hash ? `${stub(head.prev_hash, 8)} …` : t("admin.facts.first")}</dd>
        </div>
        <div>
          <dt>{t("admin.facts.signers")}</dt>
          <dd>{head.signatures.map((signature) => signature.cosigner).join(", ")}</dd>
        </div>
      </dl>
    </Part>
  );
}

const MARKS: Record<CosignerHealth["state"], readonly [Mark, "good" | "warn" | "danger"]> = {
  healthy: ["good", "good"],
  behind: ["warn", "warn"],
  unreachable: ["warn", "warn"],
  refused: ["broken", "danger"],
};

function HealthRow({ cosigner }: { readonly cosigner: CosignerHealth }) {
  const { t } = useTranslation();
  const now = useNow();
  const [mark, tone] = MARKS[cosigner.state];
  const { signed_size: size, last_signed: last } = cosigner;
  const words =
    size === null || last === null
      ? t("admin.states.neverLead")
      : t(cosigner.state === "healthy" ? "admin.states.healthyLead" : "admin.states.lastLead", {
          size: number(size),
          when: t("tools.ago", { time: span(Math.max(1, now / 1_000 - last)) }),
        });
  return (
    <li>
      <ProofMark of={mark} />
      <span className="who">
        <b>{cosigner.cosigner}</b>
        <small>
          {cosigner.operator === "this server" ? t("audit.cosigners.here") : cosigner.operator}
          {cosigner.url ? `, ${cosigner.url}` : ""}
        </small>
      </span>
      <span className="what">
        <b className="state" data-tone={tone}>
          {t(`admin.states.${cosigner.state}`)}
        </b>
        <small className="num">
          {words}
          {cosigner.error ? `. ${cosigner.error}` : ""}
        </small>
      </span>
      <span className="mono">{stub(cosigner.public_key)}</span>
    </li>
  );
}
