import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp, Check, Minus, RotateCw, X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, type RefObject, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Icon } from "../../ui/Icon.tsx";
import { TypeName } from "./common.tsx";
import { clockTime, counted, fullMoment, shortMoment } from "./formats.ts";
import { LIFE_TITLE } from "./LifePanel.tsx";
import { isCounting, type Outcome, outcomeOf, type Tone } from "./outcomes.ts";
import { useHub } from "./session.tsx";
import type { Listed } from "./shapes.ts";
import { summaryOf } from "./summaries.ts";
import { FRESH_MS } from "./tail.ts";
import { useNow } from "./useNow.ts";

const ROW_PX = 38;
const ROW_NARROW_PX = 58;
/** Where closing a life leads back to. */
export const ROWS = "hub-rows";
/** This close to its start the list follows what comes. */
const TOP_PX = 8;
/** History is read when fewer rows than this are left below. */
const FETCH_WITHIN_ROWS = 20;

export interface TailListProps {
  /** Newest first. */
  readonly events: readonly Listed[];
  readonly chosen: string | null;
  readonly held: number;
  readonly paused: boolean;
  readonly foot: ReactNode;
  /** On a phone the charts scroll away with the list: then this scrolls, else the list does. */
  readonly outer: RefObject<HTMLDivElement | null> | null;
  readonly onChoose: (id: string | null) => void;
  readonly onTop: (atTop: boolean) => void;
  /** Somebody wants to see what came. */
  readonly onPresent: () => void;
}

/** The rows: one stop of the keyboard, arrows inside. */
export function TailList({ events, chosen, held, paused, foot, outer, onChoose, onTop, onPresent }: TailListProps) {
  const { t } = useTranslation();
  const { tail } = useHub();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const ids = useId();
  const [margin, setMargin] = useState(0);
  const rowPx = outer ? ROW_NARROW_PX : ROW_PX;

  useLayoutEffect(() => setMargin(outer ? (list.current?.offsetTop ?? 0) : 0), [outer]);

  const virtualizer = useVirtualizer({
    count: events.length,
    getScrollElement: () => (outer ? outer.current : scroller.current),
    estimateSize: () => rowPx,
    getItemKey: (index) => events[index]?.id ?? index,
    scrollMargin: margin,
    overscan: 8,
    onChange: (instance) => onTop((instance.scrollOffset ?? 0) <= margin + TOP_PX),
  });
  const items = virtualizer.getVirtualItems();

  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lastShown >= events.length - FETCH_WITHIN_ROWS && tail.state().older === "more") void tail.loadOlder();
  }, [tail, lastShown, events.length]);

  const chosenAt = events.findIndex((event) => event.id === chosen);
  const move = (event: KeyboardEvent) => {
    const to = targetOf(event.key, chosenAt, events.length, Math.floor((scroller.current?.clientHeight ?? 400) / rowPx));
    if (to === null) {
      if (event.key === "Escape" && chosen) onChoose(null);
      if (event.key === "Enter" && chosen) document.getElementById(LIFE_TITLE)?.focus();
      return;
    }
    event.preventDefault();
    virtualizer.scrollToIndex(to);
    onChoose(events[to]?.id ?? null);
  };

  const toTop = () => {
    onPresent();
    virtualizer.scrollToOffset(outer ? margin : 0);
    list.current?.focus({ preventScroll: true });
  };

  const isMoving = items.some(({ index }) => {
    const event = events[index];
    return event !== undefined && (isCounting(event) || (event.jobs?.length === 0 && Date.now() - event.timestamp < 2 * FRESH_MS));
  });
  const now = useNow(isMoving ? 1_000 : null);

  return (
    <div className="hub-tail">
      {held > 0 ? (
        <button type="button" className="pill" data-place="top" onClick={toTop}>
          <Icon of={ArrowUp} size="sm" />
          {paused ? t("hub.tail.heldPaused", counted(held)) : t("hub.tail.held", counted(held))}
        </button>
      ) : null}
      <div className="hub-scroll" ref={scroller}>
        <div
          ref={list}
          role="listbox"
          id={ROWS}
          tabIndex={0}
          className="hub-rows"
          aria-label={t("hub.tail.list")}
          aria-activedescendant={chosenAt >= 0 ? `${ids}${chosen}` : undefined}
          style={{ height: virtualizer.getTotalSize() }}
          onKeyDown={move}
        >
          {items.map(({ index, key, start }) => {
            const event = events[index];
            return event ? (
              <Row
                key={key}
                id={`${ids}${event.id}`}
                event={event}
                outcome={outcomeOf(event, now)}
                now={now}
                chosen={event.id === chosen}
                place={[index + 1, events.length]}
                start={start - margin}
                height={rowPx}
                onChoose={() => {
                  onChoose(event.id);
                  list.current?.focus({ preventScroll: true });
                }}
              />
            ) : null;
          })}
        </div>
        <div className="hub-foot">{foot}</div>
      </div>
    </div>
  );
}

function targetOf(key: string, at: number, count: number, page: number): number | null {
  const inside = (to: number) => Math.min(count - 1, Math.max(0, to));
  switch (key) {
    case "ArrowDown":
      return inside(at + 1);
    case "ArrowUp":
      return inside(at - 1);
    case "PageDown":
      return inside(at + page);
    case "PageUp":
      return inside(at - page);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

const MARKS = { ok: Check, wait: RotateCw, dead: X, none: Minus, unknown: null } as const;

/** What the mark beside it says, for who does not see it. */
export function OutcomeMark({ of }: { readonly of: Tone }) {
  const Drawing = MARKS[of];
  return (
    <span className="hub-mark" data-tone={of}>
      {Drawing ? <Icon of={Drawing} size="sm" /> : null}
    </span>
  );
}

interface RowProps {
  readonly id: string;
  readonly event: Listed;
  readonly outcome: Outcome;
  readonly now: number;
  readonly chosen: boolean;
  /** Its number among how many. */
  readonly place: readonly [number, number];
  readonly start: number;
  readonly height: number;
  readonly onChoose: () => void;
}

function Row({ id, event, outcome, now, chosen, place, start, height, onChoose }: RowProps) {
  const isToday = new Date(event.timestamp).toDateString() === new Date(now).toDateString();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: The list has the keys; its rows are no stops of their own.
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-posinset={place[0]}
      aria-setsize={place[1]}
      className="hub-row"
      data-tone={outcome.tone}
      style={{ transform: `translateY(${start}px)`, height }}
      onClick={onChoose}
    >
      <time dateTime={new Date(event.timestamp).toISOString()} title={fullMoment(event.timestamp)}>
        {isToday ? clockTime(event.timestamp) : shortMoment(event.timestamp, now)}
      </time>
      <OutcomeMark of={outcome.tone} />
      <span className="cut">
        <TypeName of={event.event} />
      </span>
      <span className="sum cut">{summaryOf(event)}</span>
      <span className="out cut">{outcome.words}</span>
    </div>
  );
}
