import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { number, stub } from "./formats.ts";
import { PartMark } from "./marks.tsx";
import type { Range } from "./messages.ts";
import { ProofPanel } from "./ProofPanel.tsx";
import type { Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";
import { around, HEIGHT, holds, layOut, proofParts, type Spot, same, WIDTH, wayTo } from "./treeLayout.ts";
import type { Selection } from "./useSelection.ts";
import type { Verifier } from "./verifier.ts";

export interface TreeExplorerProps {
  readonly report: Report;
  readonly verifier: Verifier;
  readonly selection: Selection;
}

/** The tree as a picture to walk in, and the proof of the chosen entry. */
export function TreeExplorer({ report, verifier, selection }: TreeExplorerProps) {
  const { t } = useTranslation();
  const size = report.leaves;
  const { index } = selection;
  const [focus, setFocus] = useState<Range>(() => around(size, index ?? 0));
  // An entry that is chosen elsewhere comes into the picture.
  useEffect(() => {
    if (index === null) return;
    setFocus((now) => (layOut(size, now).some((spot) => same(spot.range, [index, 1])) ? now : around(size, index)));
  }, [index, size]);
  const way = wayTo(size, focus);
  const up = way.at(-2);
  return (
    <Part
      id="tree"
      title={t("audit.parts.tree")}
      lead={t("audit.tree.lead")}
      tools={
        <>
          <Button className="not-narrow" disabled={!up} onClick={() => up && setFocus(up)}>
            {t("audit.tree.up")}
          </Button>
          <Button className="not-narrow" disabled={!up} onClick={() => setFocus([0, size])}>
            {t("audit.tree.root")}
          </Button>
          <Button onClick={() => selection.select(size - 1)}>{t("audit.tree.newest")}</Button>
        </>
      }
    >
      <div className="tree">
        <figure>
          <Picture size={size} focus={focus} verifier={verifier} selection={selection} onFocus={setFocus} />
          <figcaption>
            {selection.proof ? (
              <span className="legend">
                <span>
                  <PartMark of="computed" /> {t("audit.tree.legendComputed")}
                </span>
                <span>
                  <PartMark of="given" /> {t("audit.tree.legendGiven")}
                </span>
                <span>
                  <PartMark of="other" /> {t("audit.tree.legendOther")}
                </span>
              </span>
            ) : null}
            <span>{t("audit.tree.hint")}</span>
          </figcaption>
        </figure>
        <ProofPanel size={size} root={report.root} selection={selection} />
      </div>
    </Part>
  );
}

interface PictureProps {
  readonly size: number;
  readonly focus: Range;
  readonly verifier: Verifier;
  readonly selection: Selection;
  readonly onFocus: (focus: Range) => void;
}

function Picture({ size, focus, verifier, selection, onFocus }: PictureProps) {
  const { t } = useTranslation();
  const spots = useMemo(() => layOut(size, focus), [size, focus]);
  const hashes = useHashes(verifier, spots);
  const [active, setActive] = useState<string | null>(null);
  const picture = useRef<SVGSVGElement>(null);
  const { index, proof, select } = selection;
  const given = useMemo(() => (index === null ? [] : proofParts(size, index)), [size, index]);
  const entry: Range | null = index === null ? null : [index, 1];

  const roleOf = (range: Range) =>
    proof && entry && holds(range, entry) ? "computed" : proof && given.some((part) => same(part, range)) ? "given" : "other";
  const choose = (range: Range) => (range[1] === 1 ? select(range[0]) : onFocus(range));
  const current = spots.find((spot) => keyOf(spot) === active) ?? spots.find((spot) => entry && same(spot.range, entry)) ?? spots[0];

  const onKeyDown = (event: KeyboardEvent, spot: Spot) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(spot.range);
      return;
    }
    const next = neighbour(spots, spot, event.key);
    if (!next) return;
    event.preventDefault();
    setActive(keyOf(next));
    picture.current?.querySelector<SVGGElement>(`[data-key="${keyOf(next)}"]`)?.focus();
  };

  const label = (spot: Spot) => {
    const [start, count] = spot.range;
    const hash = stub(hashes.get(keyOf(spot)) ?? "", 4);
    return count === 1
      ? t("audit.tree.leaf", { index: number(start), hash })
      : t("audit.tree.inside", { from: number(start), to: number(start + count - 1), hash });
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: A picture whose parts can be chosen.
    <svg ref={picture} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={t("audit.tree.drawing", { size: number(size) })}>
      {spots.map((spot) => (
        <Edge key={keyOf(spot)} spot={spot} spots={spots} lit={roleOf(spot.range) === "computed"} />
      ))}
      {spots.map((spot) => (
        // biome-ignore lint/a11y/useSemanticElements: SVG has no button.
        <g
          key={keyOf(spot)}
          role="button"
          data-key={keyOf(spot)}
          data-role={roleOf(spot.range)}
          data-chosen={entry !== null && same(spot.range, entry)}
          tabIndex={spot === current ? 0 : -1}
          aria-label={label(spot)}
          aria-pressed={spot.range[1] === 1 ? entry !== null && same(spot.range, entry) : undefined}
          onClick={() => choose(spot.range)}
          onFocus={() => setActive(keyOf(spot))}
          onKeyDown={(event) => onKeyDown(event, spot)}
        >
          <SpotMark spot={spot} role={roleOf(spot.range)} />
          <SpotLabel spot={spot} size={size} hash={hashes.get(keyOf(spot)) ?? ""} />
        </g>
      ))}
    </svg>
  );
}

function SpotMark({ spot: { x, y, range, end }, role }: { readonly spot: Spot; readonly role: "computed" | "given" | "other" }) {
  const d = (r: number) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;
  return (
    <>
      {/* What can be pressed is larger than what is drawn; a chosen entry shows its box. */}
      <rect className="hit" x={x - 30} y={y - 17} width={60} height={end ? 58 : 34} rx={9} />
      {role === "other" ? (
        range[1] === 1 ? (
          <circle cx={x} cy={y} r={4} />
        ) : (
          <circle cx={x} cy={y} r={5} />
        )
      ) : (
        <path d={d(role === "computed" ? 6.5 : 6)} />
      )}
    </>
  );
}

function SpotLabel({
  spot: { x, y, range, end, place },
  size,
  hash,
}: {
  readonly spot: Spot;
  readonly size: number;
  readonly hash: string;
}) {
  const { t } = useTranslation();
  const [start, count] = range;
  const from = number(start);
  const to = number(start + count - 1);
  if (place === "root") {
    return (
      <>
        <text x={x + 16} y={y - 2} className="strong">
          {t("audit.tree.head", { size: number(size) })}
        </text>
        <text x={x + 16} y={y + 13} className="hash">
          {stub(hash)} …
        </text>
      </>
    );
  }
  if (place === "aside") {
    return (
      <text x={x} y={y + 22} textAnchor="middle">
        {count === 1 ? from : t("audit.tree.range", { from, to })}
      </text>
    );
  }
  if (place === "way") {
    return (
      <text x={x + 16} y={y + 4}>
        {count === 1 ? from : t("audit.tree.range", { from, to })}
      </text>
    );
  }
  if (!end) return null;
  return (
    <>
      <text x={x} y={y + 20} textAnchor="middle" className="first">
        {from}
      </text>
      <text x={x} y={y + 34} textAnchor="middle" className={count === 1 ? "hash" : undefined}>
        {count === 1 ? stub(hash, 1) : t("audit.tree.to", { to })}
      </text>
    </>
  );
}

/** The line from the part above: down, across, down, with round corners; dotted where levels are folded. */
function Edge({ spot, spots, lit }: { readonly spot: Spot; readonly spots: readonly Spot[]; readonly lit: boolean }) {
  const { t } = useTranslation();
  const parent = spot.parent ? spots.find((other) => spot.parent !== null && same(other.range, spot.parent)) : undefined;
  if (!parent) return null;
  const { x: x0, y: y0 } = parent;
  const { x, y } = spot;
  if (spot.folded > 0) {
    return (
      <g className="edge" data-lit={lit}>
        <path d={`M${x0} ${y0}L${x} ${y}`} strokeDasharray="2 5" strokeLinecap="round" />
        <text x={x + 16} y={(y0 + y) / 2 + 4}>
          {t("audit.tree.folded", { count: spot.folded })}
        </text>
      </g>
    );
  }
  const middle = Math.min(y0 + 28, (y0 + y) / 2);
  const side = Math.sign(x - x0);
  const corner = Math.min(6, Math.abs(x - x0) / 2);
  const d =
    Math.abs(x - x0) < 1
      ? `M${x0} ${y0}V${y}`
      : `M${x0} ${y0}V${middle - corner}Q${x0} ${middle} ${x0 + side * corner} ${middle}H${x - side * corner}Q${x} ${middle} ${x} ${middle + corner}V${y}`;
  return (
    <g className="edge" data-lit={lit}>
      <path d={d} />
    </g>
  );
}

function keyOf({ range }: { readonly range: Range }): string {
  return `${range[0]}-${range[1]}`;
}

/** Where an arrow key leads: up to the part above, down to the first one below, sideways in the same row. */
function neighbour(spots: readonly Spot[], from: Spot, key: string): Spot | undefined {
  if (key === "ArrowUp") return spots.find((spot) => from.parent !== null && same(spot.range, from.parent));
  if (key === "ArrowDown") {
    const below = spots.filter((spot) => spot.parent !== null && same(spot.parent, from.range));
    return below.toSorted((a, b) => a.range[0] - b.range[0])[0];
  }
  if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined;
  const row = spots.filter((spot) => Math.abs(spot.y - from.y) < 1).toSorted((a, b) => a.x - b.x);
  return row[row.indexOf(from) + (key === "ArrowLeft" ? -1 : 1)];
}

/** The hashes of what is drawn, asked of the worker. */
function useHashes(verifier: Verifier, spots: readonly Spot[]): ReadonlyMap<string, string> {
  const [hashes, setHashes] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    let gone = false;
    // A part that is not complete has its hash from those below it, each in its place.
    const ranges = spots.map((spot) => spot.range);
    void verifier.ask("subtrees", { ranges }).then((answer) => {
      if (!gone) setHashes(new Map(ranges.map((range, at) => [keyOf({ range }), answer[at] ?? ""])));
    });
    return () => {
      gone = true;
    };
  }, [verifier, spots]);
  return hashes;
}
