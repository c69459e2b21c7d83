import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { counted, fullMoment, number, stub } from "./formats.ts";
import { ProofMark } from "./marks.tsx";
import type { Entry, Report } from "./shapes.ts";
import { Part } from "./ToolFrame.tsx";
import type { Selection } from "./useSelection.ts";
import type { Verifier } from "./verifier.ts";

const ROW_PX = 40;
/** Entries asked of the worker at once. */
const CHUNK = 100;
/** So many of those are kept: what is far out of sight is asked for again. */
const CHUNKS_MAX = 50;
const HITS_MAX = 200;
const SEARCH_MS = 150;

export interface EntryTableProps {
  readonly report: Report;
  readonly verifier: Verifier;
  readonly selection: Selection;
}

/** All entries, newest first. Only those in sight are drawn. */
export function EntryTable({ report, verifier, selection }: EntryTableProps) {
  const { t } = useTranslation();
  const [query, setQuery] = useState("");
  const hits = useHits(verifier, query.trim(), report.leaves);
  const rowAt = useRows(verifier, report.leaves);
  const count = hits ? hits.length : report.leaves;
  const at = (position: number): Entry | undefined => (hits ? hits[position] : rowAt(report.leaves - 1 - position));
  return (
    <Part
      id="log"
      title={t("audit.parts.log")}
      lead={
        hits
          ? hits.length >= HITS_MAX
            ? t("audit.log.hitsMax", { n: number(HITS_MAX) })
            : t("audit.log.hits", counted(hits.length))
          : t("audit.log.lead", counted(report.ids))
      }
      tools={
        <input
          type="search"
          className="input search"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          aria-label={t("audit.log.search")}
          placeholder={t("audit.log.search")}
          autoComplete="off"
          spellCheck={false}
        />
      }
    >
      {count === 0 ? (
        <p className="text-ink-2">{t("audit.log.nothing")}</p>
      ) : (
        <Rows key={query} count={count} at={at} selection={selection} />
      )}
    </Part>
  );
}

interface RowsProps {
  readonly count: number;
  readonly at: (position: number) => Entry | undefined;
  readonly selection: Selection;
}

function Rows({ count, at, selection }: RowsProps) {
  const { t } = useTranslation();
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 4 });
  const shown = rows.getVirtualItems();
  const before = shown[0]?.start ?? 0;
  const after = rows.getTotalSize() - (shown.at(-1)?.end ?? 0);
  const move = (event: React.KeyboardEvent, position: number) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(count - 1, Math.max(0, position + step));
    rows.scrollToIndex(next);
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-position="${next}"]`)?.focus());
  };
  const chosen = shown.find((row) => at(row.index)?.index === selection.index) ?? shown[0];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: It scrolls, so the keyboard must reach it.
    <section ref={scroll} className="entries" tabIndex={0} aria-label={t("audit.log.list")}>
      <table aria-rowcount={count + 1}>
        <thead>
          <tr>
            <th scope="col">{t("audit.log.entry")}</th>
            <th scope="col" className="wide">
              {t("audit.log.time")}
            </th>
            <th scope="col">{t("audit.log.identity")}</th>
            <th scope="col" className="wide">
              {t("audit.log.what")}
            </th>
            <th scope="col" className="widest">
              {t("audit.log.hash")}
            </th>
            <th scope="col">{t("audit.log.proof")}</th>
          </tr>
        </thead>
        <tbody>
          {before > 0 ? <Gap height={before} /> : null}
          {shown.map(({ index: position }) => {
            const entry = at(position);
            return (
              <tr key={position} aria-rowindex={position + 2} data-chosen={entry?.index === selection.index} style={{ height: ROW_PX }}>
                <td className="num">
                  {entry ? (
                    <button
                      type="button"
                      className="link-button"
                      data-position={position}
                      tabIndex={position === chosen?.index ? 0 : -1}
                      aria-label={t("audit.tree.entry", { index: number(entry.index), id: entry.id })}
                      aria-pressed={entry.index === selection.index}
                      onClick={() => selection.select(entry.index)}
                      onKeyDown={(event) => move(event, position)}
                    >
                      {number(entry.index)}
                    </button>
                  ) : null}
                </td>
                <td className="wide num">{entry ? fullMoment(entry.timestamp * 1_000) : ""}</td>
                <td className="id">
                  <b className="cut">{entry?.id ?? ""}</b>
                </td>
                <td className="wide">{entry ? (entry.rotated ? t("audit.log.rotated") : t("audit.log.registered")) : ""}</td>
                <td className="widest mono">{entry ? `${stub(entry.hash)} …` : ""}</td>
                <td>
                  {entry ? (
                    <span className="state">
                      <ProofMark of="good" /> {t("audit.log.included")}
                    </span>
                  ) : null}
                </td>
              </tr>
            );
          })}
          {after > 0 ? <Gap height={after} /> : null}
        </tbody>
      </table>
    </section>
  );
}

/** The room of the rows that are not drawn. */
function Gap({ height }: { readonly height: number }) {
  return (
    <tr className="gap">
      <td colSpan={3} style={{ height }} />
    </tr>
  );
}

/** Entries by index, asked of the worker in chunks as they come into sight. */
function useRows(verifier: Verifier, size: number): (index: number) => Entry | undefined {
  const [chunks, setChunks] = useState<ReadonlyMap<number, readonly Entry[]>>(new Map());
  const asked = useRef(new Set<number>());
  const wanted = useRef(new Set<number>());
  useEffect(() => {
    for (const chunk of wanted.current) {
      if (asked.current.has(chunk)) continue;
      asked.current.add(chunk);
      void verifier
        .ask("rows", { from: chunk * CHUNK, count: CHUNK })
        .then((rows) => setChunks((known) => withChunk(known, chunk, rows, asked.current)));
    }
    wanted.current.clear();
  });
  return (index) => {
    if (index < 0 || index >= size) return undefined;
    const chunk = Math.floor(index / CHUNK);
    if (!asked.current.has(chunk)) wanted.current.add(chunk);
    return chunks.get(chunk)?.[index % CHUNK];
  };
}

/** With one chunk more, and without the oldest above the limit. */
function withChunk(
  known: ReadonlyMap<number, readonly Entry[]>,
  chunk: number,
  rows: readonly Entry[],
  asked: Set<number>,
): ReadonlyMap<number, readonly Entry[]> {
  const chunks = new Map(known).set(chunk, rows);
  for (const oldest of chunks.keys()) {
    if (chunks.size <= CHUNKS_MAX) break;
    chunks.delete(oldest);
    asked.delete(oldest);
  }
  return chunks;
}

/** What fits the search: an entry's number, or a part of an id. `null` without a search. */
function useHits(verifier: Verifier, query: string, size: number): readonly Entry[] | null {
  const [hits, setHits] = useState<readonly Entry[] | null>(null);
  useEffect(() => {
    if (!query) {
      setHits(null);
      return;
    }
    let gone = false;
    const timer = setTimeout(async () => {
      const index = /^[\d.,\s]+$/.test(query) ? Number(query.replace(/\D/g, "")) : Number.NaN;
      const one = index < size ? await verifier.ask("rows", { from: index, count: 1 }) : [];
      const many = await verifier.ask("search", { text: query, count: HITS_MAX });
      if (!gone) setHits([...one, ...many.filter((entry) => entry.index !== index)]);
    }, SEARCH_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [verifier, query, size]);
  return hits;
}
