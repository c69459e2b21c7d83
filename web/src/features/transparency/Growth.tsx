import { useTranslation } from "../../i18n/useTranslation.ts";
import { Segments } from "../../ui/Segments.tsx";
import { Chart, Numbers } from "./Charts.tsx";
import { counted, fullMoment, number } from "./formats.ts";
import { hourly, roundUp } from "./growth.ts";
import { Part } from "./ToolFrame.tsx";
import type { ServerState } from "./useServer.ts";

const PERIODS = { day: 24, week: 168, month: 720 } as const;
type Period = keyof typeof PERIODS;

export interface GrowthProps {
  readonly server: ServerState;
  readonly period: number;
  readonly onPeriod: (hours: number) => void;
}

/** How the log grew: entries over time, and registrations per hour. */
export function Growth({ server, period, onPeriod }: GrowthProps) {
  const { t } = useTranslation();
  const chosen = (Object.keys(PERIODS) as Period[]).find((name) => PERIODS[name] === period) ?? "week";
  return (
    <Part
      id="registrations"
      title={t("admin.parts.registrations")}
      tools={
        <Segments
          label={t("admin.growth.period")}
          value={chosen}
          options={(Object.keys(PERIODS) as Period[]).map((name) => [name, t(`admin.growth.${name}`)] as const)}
          onChange={(name) => onPeriod(PERIODS[name])}
        />
      }
    >
      {server.hours && server.head !== undefined ? <Drawn server={server} period={period} /> : null}
    </Part>
  );
}

function Drawn({ server, period }: { readonly server: ServerState; readonly period: number }) {
  const { t } = useTranslation();
  const size = server.head?.tree_size ?? 0;
  const points = hourly(server.hours ?? [], period, size, Math.floor((server.at ?? 0) / 1_000));
  const total = points.reduce((sum, point) => sum + point.registrations, 0);
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return null;
  const start = fullMoment(first.start * 1_000);
  const end = fullMoment(server.at ?? 0);
  const most = points.reduce((best, point) => (point.registrations > best.registrations ? point : best), first);
  const before = first.entries - first.registrations;
  // A log of millions grows too little for a scale from zero to show; then the scale says where it begins.
  const from = total > 0 && total * 4 < size ? Math.floor(before / roundUp(total)) * roundUp(total) : 0;
  return (
    <>
      <div className="charts">
        <Chart
          kind="line"
          title={t("admin.growth.title")}
          figure={number(size)}
          values={points.map((point) => point.entries)}
          from={from}
          ticks={[start, t("tools.now")]}
          name={t("admin.growth.growthName", { from: number(before), to: number(size), start, end })}
        />
        <Chart
          kind="bars"
          title={t("admin.growth.perHour")}
          figure={number(last.registrations)}
          note={total > 0 ? t("admin.growth.total", counted(total)) : t("admin.growth.none")}
          values={points.map((point) => point.registrations)}
          ticks={[start, t("tools.now")]}
          name={
            total > 0
              ? t("admin.growth.barsName", { start, end, max: number(most.registrations), when: fullMoment(most.start * 1_000) })
              : t("admin.growth.none")
          }
        />
      </div>
      {total > 0 ? (
        <Numbers
          heads={[t("admin.growth.hour"), t("admin.growth.registrations"), t("admin.growth.entries")]}
          rows={points
            .filter((point) => point.registrations > 0)
            .toReversed()
            .map((point) => [fullMoment(point.start * 1_000), number(point.registrations), number(point.entries)])}
        />
      ) : null}
    </>
  );
}
