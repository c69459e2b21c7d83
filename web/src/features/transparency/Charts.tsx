/** Charts of our own: bars from zero, a line with its true scale, and the same numbers as a table. */
import { useId } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { number } from "./formats.ts";
import { roundUp } from "./growth.ts";

const WIDTH = 520;
const HEIGHT = 150;
const TOP = 10;
const BOTTOM = 126;
const END = 470;

export interface ChartProps {
  /** One sentence that says what is seen. */
  readonly name: string;
  readonly title: string;
  /** The figure above the plot. */
  readonly figure: string;
  readonly note?: string;
  readonly values: readonly number[];
  readonly kind: "bars" | "line";
  /** What stands under its first and its last value. */
  readonly ticks: readonly [string, string];
  /** A line need not begin at zero; then it says where it does. */
  readonly from?: number;
}

export function Chart({ name, title, figure, note, values, kind, ticks, from = 0 }: ChartProps) {
  const heading = useId();
  const most = Math.max(from, ...values);
  const top = kind === "bars" ? roundUp(most) : from + roundUp(most - from);
  const y = (value: number) => BOTTOM - ((value - from) / (top - from)) * (BOTTOM - TOP);
  const middle = from + (top - from) / 2;
  const step = END / Math.max(1, values.length);
  const lines = [top, ...(Number.isInteger(middle) ? [middle] : []), from];
  return (
    <figure className="chart" aria-labelledby={heading}>
      <figcaption>
        <span id={heading}>{title}</span>
        <b className="num">{figure}</b>
        {note ? <small>{note}</small> : null}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={name}>
        {lines.map((value) => (
          <g key={value}>
            <path className="grid" d={`M0 ${y(value)}H${END}`} />
            <text x={END + 8} y={y(value) + 4}>
              {number(value)}
            </text>
          </g>
        ))}
        {kind === "bars" ? (
          <path className="bars" d={values.map((value, at) => barOf(at * step, step, y(value))).join("")} />
        ) : (
          <path
            className="line"
            d={values.map((value, at) => `${at === 0 ? "M" : "L"}${((at + 0.5) * step).toFixed(1)} ${y(value).toFixed(1)}`).join("")}
          />
        )}
        <text x={0} y={HEIGHT - 6}>
          {ticks[0]}
        </text>
        <text x={END} y={HEIGHT - 6} textAnchor="end">
          {ticks[1]}
        </text>
      </svg>
    </figure>
  );
}

function barOf(x: number, step: number, y: number): string {
  if (y >= BOTTOM) return "";
  const gap = step > 4 ? 1 : 0;
  // What is there is seen, be it one of a thousand.
  const top = Math.min(y, BOTTOM - 1.5);
  return `M${(x + gap).toFixed(1)} ${BOTTOM}V${top.toFixed(1)}H${(x + step - gap).toFixed(1)}V${BOTTOM}Z`;
}

export interface NumbersProps {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The same as a table, for who can't see the plot or wants the numbers. */
export function Numbers({ heads, rows }: NumbersProps) {
  const { t } = useTranslation();
  return (
    <details className="numbers">
      <summary>{t("admin.growth.table")}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: It scrolls, so the keyboard must reach it. */}
      <section tabIndex={0} aria-label={t("admin.growth.table")}>
        <table>
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
                  <td key={heads[at]} className="num">
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}

/** A few values as a small line without scale; its neighbour says the last one. */
export function Sparkline({ values }: { readonly values: readonly number[] }) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const y = (value: number) => (high === low ? 12 : 21 - ((value - low) / (high - low)) * 18);
  const step = 116 / Math.max(1, values.length - 1);
  return (
    <svg className="sparkline" viewBox="0 0 120 24" aria-hidden="true">
      <path d={values.map((value, at) => `${at === 0 ? "M" : "L"}${(2 + at * step).toFixed(1)} ${y(value).toFixed(1)}`).join("")} />
    </svg>
  );
}
