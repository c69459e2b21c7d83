import { useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Sparkline } from "./Charts.tsx";
import { number } from "./formats.ts";
import { type Family, familyValue } from "./metrics.ts";
import { Part } from "./ToolFrame.tsx";
import { useMetrics } from "./useServer.ts";

/** Families that every server of the contract has, and that change while one looks. */
const KNOWN = ["users_count", "sth_count", "ws_sessions"] as const;

export function Metrics({ paused }: { readonly paused: boolean }) {
  const { t } = useTranslation();
  const { state, lines } = useMetrics(KNOWN, paused);
  const [query, setQuery] = useState("");
  return (
    <Part
      id="metrics"
      title={t("admin.parts.metrics")}
      lead={state.kind === "open" ? t("admin.metrics.lead") : undefined}
      tools={
        state.kind === "open" ? (
          <input
            type="search"
            className="input search"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            aria-label={t("admin.metrics.search")}
            placeholder={t("admin.metrics.search")}
            autoComplete="off"
            spellCheck={false}
          />
        ) : null
      }
    >
      {state.kind === "closed" ? (
        <>
          <p className="font-semibold">{t("admin.metrics.closedTitle")}</p>
          <p className="max-w-[46rem] text-ink-2">{t("admin.metrics.closedLead", { origin: location.origin })}</p>
        </>
      ) : null}
      {state.kind === "missing" ? (
        <>
          <p className="font-semibold">{t("admin.metrics.missingTitle")}</p>
          <p className="text-ink-2">{t("admin.metrics.missingLead", { status: state.status })}</p>
        </>
      ) : null}
      {state.kind === "open" ? (
        <>
          <ul className="tiles" aria-label={t("admin.metrics.live")}>
            {KNOWN.map((name) => (
              <li key={name}>
                <span>{t(`admin.metrics.known.${name}`)}</span>
                <b className="num">{number(familyValue(state.families, name) ?? 0)}</b>
                <Sparkline values={lines.get(name) ?? []} />
              </li>
            ))}
          </ul>
          <Families families={state.families} query={query.trim()} />
        </>
      ) : null}
    </Part>
  );
}

function Families({ families, query }: { readonly families: readonly Family[]; readonly query: string }) {
  const { t } = useTranslation();
  const shown = families.filter((family) => family.name.includes(query));
  if (shown.length === 0) return <p className="text-ink-2">{t("admin.metrics.none")}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: It scrolls, so the keyboard must reach it.
    <section className="entries families" tabIndex={0} aria-label={t("admin.metrics.all")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("admin.metrics.name")}</th>
            <th scope="col">{t("admin.metrics.value")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((family) => (
            <tr key={family.name}>
              <td>
                <b className="mono">{family.name}</b>
                <small>{family.help}</small>
              </td>
              <td className="num">
                <Values family={family} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Values({ family: { samples } }: { readonly family: Family }) {
  const { t } = useTranslation();
  const [first] = samples;
  if (samples.length === 1 && first && !first.labels) return number(first.value);
  return (
    <details>
      <summary>{t("admin.metrics.of", { count: samples.length })}</summary>
      {samples.map((sample) => (
        <span key={sample.labels}>
          <span className="mono">{sample.labels}</span> {number(sample.value)}
        </span>
      ))}
    </details>
  );
}
