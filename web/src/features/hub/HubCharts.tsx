import { Check, RotateCw, X } from "lucide-react";
import { useId } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { bars, densely, MINUTE_MS, pathOf, roundUp } from "./charts.ts";
import { minuteTime, number, share, span } from "./formats.ts";
import type { Asked } from "./resource.ts";
import { MINUTES } from "./server.ts";
import type { Minute, Reaction, Stats } from "./shapes.ts";

const WIDTH = 420;
const NARROWER = 320;
const TOP = 14;
const BOTTOM = 92;
const LEFT = 26;

/** The last hour, how fast it went, and how the day went. */
export function HubCharts({ stats }: { readonly stats: Asked<Stats> }) {
  const { t } = useTranslation();
  const { value, failure } = stats;
  if (!value) {
    return (
      <section className="hub-charts" aria-label={t("hub.charts.label")}>
        <p className="hub-chart text-ink-3">{failure ? sentenceOf(failure) : null}</p>
      </section>
    );
  }
  const end = Math.max(value.minutes.at(-1)?.start ?? 0, stats.at ?? 0);
  const minutes = densely(value.minutes, end, MINUTES, (start): Minute => ({ start, events: 0, retried: 0, dead: 0 }));
  const reactions = densely<Reaction | { readonly start: number }>(value.reactions, end, MINUTES, (start) => ({ start }));
  return (
    <section className="hub-charts" aria-label={t("hub.charts.label")}>
      <EventsChart minutes={minutes} />
      <ReactionsChart reactions={reactions} />
      <Today today={value.today} />
    </section>
  );
}

function EventsChart({ minutes }: { readonly minutes: readonly Minute[] }) {
  const { t } = useTranslation();
  const heading = useId();
  const sum = minutes.reduce((all, minute) => all + minute.events + minute.retried, 0);
  // The last minute is not over yet, so the one before it is the figure.
  const whole = minutes.at(-2)?.events ?? 0;
  const retried = minutes.reduce((all, minute) => all + minute.retried, 0);
  const most = Math.max(...minutes.map((minute) => minute.events));
  const top = roundUp(Math.max(...minutes.map((minute) => minute.events + minute.retried)));
  return (
    <figure className="hub-chart" aria-labelledby={heading}>
      <figcaption>
        <h2 id={heading}>{t("hub.charts.events")}</h2>
        <p className="big">
          {number(whole)} <small>{retried > 0 ? t("hub.charts.outlined") : t("hub.charts.lastMinute")}</small>
        </p>
      </figcaption>
      {sum === 0 ? (
        <p className="nothing">{t("hub.charts.nothing")}</p>
      ) : (
        <svg
          viewBox={`0 0 ${WIDTH} 118`}
          role="img"
          aria-label={t("hub.charts.eventsName", { sum: number(sum), most: number(most), retried: number(retried) })}
        >
          <Scale top={top} end={WIDTH - 20} />
          {bars(minutes, top, { left: LEFT, right: WIDTH - 20, top: TOP, bottom: BOTTOM }).map((bar) => (
            <g key={bar.start}>
              {bar.plain > 0 ? (
                <rect
                  className="once"
                  x={bar.x}
                  y={BOTTOM - bar.plain}
                  width={bar.width}
                  height={bar.plain}
                  rx={Math.min(1.4, bar.plain / 2)}
                />
              ) : null}
              {bar.retried > 0 ? (
                <rect
                  className="retried"
                  x={bar.x + 0.6}
                  y={BOTTOM - bar.plain - bar.retried - (bar.plain > 0 ? 1.2 : 0)}
                  width={bar.width - 1.2}
                  height={bar.retried}
                  rx={1}
                />
              ) : null}
            </g>
          ))}
          <Ticks minutes={minutes} end={WIDTH - 20} middle />
        </svg>
      )}
      <Table
        label={t("hub.charts.events")}
        heads={[t("hub.charts.minute"), t("hub.charts.count"), t("hub.charts.retried"), t("hub.charts.dead")]}
        rows={minutes
          .filter((minute) => minute.events > 0)
          .map((minute) => [minuteTime(minute.start), number(minute.events), number(minute.retried), number(minute.dead)])}
      />
    </figure>
  );
}

function ReactionsChart({ reactions }: { readonly reactions: readonly (Reaction | { readonly start: number })[] }) {
  const { t } = useTranslation();
  const heading = useId();
  const measured = reactions.filter((reaction) => "typical_ms" in reaction);
  const last = measured.at(-1);
  const most = roundUp(Math.max(1, ...measured.map((reaction) => reaction.slow_ms)));
  const end = NARROWER - 72;
  const line = (of: (reaction: Reaction) => number) =>
    pathOf(
      reactions.map((reaction) => ("typical_ms" in reaction ? of(reaction) : null)),
      most,
      { left: LEFT, right: end, top: TOP, bottom: BOTTOM },
    );
  const y = (value: number) => BOTTOM - (value / most) * (BOTTOM - TOP);
  const typicalY = last ? Math.min(BOTTOM - 8, y(last.typical_ms)) : 0;
  // Two words at the same height would cover each other.
  const slowY = last ? Math.min(y(last.slow_ms), typicalY - 30) : 0;
  return (
    <figure className="hub-chart" aria-labelledby={heading}>
      <figcaption>
        <h2 id={heading}>{t("hub.charts.reactions")}</h2>
        <p className="big">
          {last ? (
            <>
              {span(last.typical_ms)} <small>{t("hub.charts.typical")}</small>
            </>
          ) : (
            <small>{t("hub.charts.noReaction")}</small>
          )}
        </p>
      </figcaption>
      {last ? (
        <svg
          viewBox={`0 0 ${NARROWER} 118`}
          role="img"
          aria-label={t("hub.charts.reactionsName", { typical: span(last.typical_ms), slow: span(last.slow_ms) })}
        >
          <Scale top={most} end={end} />
          <path className="slow" d={line((reaction) => reaction.slow_ms)} />
          <path className="typical" d={line((reaction) => reaction.typical_ms)} />
          <text className="strong" x={end + 8} y={slowY + 1}>
            {span(last.slow_ms)}
          </text>
          <text x={end + 8} y={slowY + 14}>
            {t("hub.charts.slow")}
          </text>
          <text className="strong" x={end + 8} y={typicalY - 2}>
            {span(last.typical_ms)}
          </text>
          <text x={end + 8} y={typicalY + 11}>
            {t("hub.charts.typical")}
          </text>
          <Ticks minutes={reactions} end={end} />
        </svg>
      ) : null}
      <Table
        label={t("hub.charts.reactions")}
        heads={[t("hub.charts.minute"), t("hub.charts.typical"), t("hub.charts.slow")]}
        rows={measured.map((reaction) => [minuteTime(reaction.start), span(reaction.typical_ms), span(reaction.slow_ms)])}
      />
    </figure>
  );
}

function Scale({ top, end }: { readonly top: number; readonly end: number }) {
  const lines = [0, ...(top % 2 === 0 ? [top / 2] : []), top];
  return lines.map((value) => {
    const y = BOTTOM - (value / top) * (BOTTOM - TOP);
    return (
      <g key={value}>
        <path className="grid" d={`M${LEFT} ${y}H${end}`} />
        <text x={LEFT - 8} y={y + 3.5} textAnchor="end">
          {short(value)}
        </text>
      </g>
    );
  });
}

/** A number of a scale, which has little room. */
const short = (value: number): string => (value >= 10_000 ? `${value / 1_000}k` : number(value));

function Ticks({
  minutes,
  end,
  middle = false,
}: {
  readonly minutes: readonly { readonly start: number }[];
  readonly end: number;
  readonly middle?: boolean;
}) {
  const [first, last] = [minutes[0], minutes.at(-1)];
  if (!first || !last) return null;
  return (
    <>
      <text x={LEFT} y={112}>
        {minuteTime(first.start)}
      </text>
      {middle ? (
        <text x={(LEFT + end) / 2} y={112} textAnchor="middle">
          {minuteTime(first.start + (MINUTES / 2) * MINUTE_MS)}
        </text>
      ) : null}
      <text x={end} y={112} textAnchor="end">
        {minuteTime(last.start)}
      </text>
    </>
  );
}

/** The day in parts of its true size; one that is too small to draw stands in the words below. */
function Today({ today }: { readonly today: Stats["today"] }) {
  const { t } = useTranslation();
  const heading = useId();
  const all = today.delivered + today.retried + today.dead;
  const lines = [
    ["ok", Check, t("hub.charts.delivered"), today.delivered],
    ["wait", RotateCw, t("hub.charts.afterRetry"), today.retried],
    ["dead", X, t("hub.charts.deadLetters"), today.dead],
  ] as const;
  return (
    <section className="hub-chart" aria-labelledby={heading}>
      <h2 id={heading}>{t("hub.charts.today")}</h2>
      <p className="big">
        {number(today.events)} <small>{t("hub.charts.todayEvents", { count: today.events })}</small>
      </p>
      <div className="strip" aria-hidden="true">
        {lines.map(([tone, , , count]) => (count > 0 ? <i key={tone} data-tone={tone} style={{ flexGrow: count }} /> : null))}
      </div>
      <ul className="outs">
        {lines.map(([tone, mark, words, count]) => (
          <li key={tone}>
            <span className="hub-mark" data-tone={tone}>
              <Icon of={mark} size="sm" />
            </span>
            <span>{words}</span>
            <b>{number(count)}</b>
            <span className="pc">{share(count, all)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface TableProps {
  readonly label: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The same numbers for who can't see the plot. */
function Table({ label, heads, rows }: TableProps) {
  return (
    <table className="vh">
      <caption>{label}</caption>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row[0]}>
            {row.map((cell, at) => (
              <td key={heads[at]}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
