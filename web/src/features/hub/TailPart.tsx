import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListFilter, Pause, Play } from "lucide-react";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { sentenceOf } from "../../app/errors.ts";
import { NARROW, useMedia } from "../../app/useMedia.ts";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { ListSkeleton } from "../../ui/Skeleton.tsx";
import { eventIdIn, found, NO_FILTER, parseFilter } from "./filters.ts";
import { counted, wait } from "./formats.ts";
import { HubCharts } from "./HubCharts.tsx";
import { STATS_MS, TopBar, type TopProps } from "./HubFrame.tsx";
import { LifePanel } from "./LifePanel.tsx";
import { useResource } from "./resource.ts";
import { useHub } from "./session.tsx";
import { ROWS, TailList } from "./TailList.tsx";
import type { Connection } from "./tail.ts";
import { useNow } from "./useNow.ts";

export const FIND_BOX = "hub-find";
/** A search that finds less than this among what was read reads on by itself, up to so many events. */
const FOUND_MIN = 40;
const SEARCHED_MAX = 2_000;

/** The events as they come, with what became of them. */
export function TailPart({ onAskAgain }: TopProps) {
  const { t } = useTranslation();
  const hub = useHub();
  const tail = useSyncExternalStore(hub.tail.subscribe, hub.tail.state);
  const stats = useResource(hub.stats, STATS_MS);
  const types = useResource(hub.types, null);
  const { find = "", event: chosen = null } = useSearch({ from: "/hub" });
  const navigate = useNavigate({ from: "/hub" });
  const [paused, setPaused] = useState(false);
  const [atTop, setAtTop] = useState(true);
  const narrow = useMedia(NARROW);
  const outer = useRef<HTMLDivElement>(null);

  // Which words are types is known with the list of types; without it all are looked for.
  const isKnown = find === "" || types.value !== undefined || Boolean(types.failure);
  const filter = useMemo(
    () => (isKnown ? parseFilter(find, types.value?.map((type) => type.event) ?? []) : NO_FILTER),
    [find, isKnown, types.value],
  );
  const shown = useMemo(() => tail.events.filter((event) => found(filter, event)), [tail.events, filter]);

  // What was settled before may have been changed from another part.
  useEffect(() => {
    if (hub.tail.state().loaded) hub.tail.refresh();
  }, [hub]);
  useEffect(() => hub.tail.show(filter), [hub, filter]);
  useEffect(() => hub.tail.follow(atTop && !paused), [hub, atTop, paused]);
  useEffect(() => {
    if (filter.words.length > 0 && shown.length < FOUND_MIN && tail.events.length < SEARCHED_MAX && tail.older === "more")
      void hub.tail.loadOlder();
  }, [hub, filter, shown.length, tail.events.length, tail.older]);

  const choose = (event: string | null) =>
    void navigate({ search: (search) => ({ ...search, part: "tail", event: event ?? undefined }), replace: !narrow });

  // The list has its own; this is for when there is none.
  const present = tail.held > 0 ? <Button onClick={() => setPaused(false)}>{t("hub.tail.heldPaused", counted(tail.held))}</Button> : null;

  return (
    <>
      <TopBar title={t("hub.parts.tail")} beside={<LiveMark connection={tail.connection} paused={paused} onAskAgain={onAskAgain} />}>
        <FindBox
          find={find}
          onFind={(text) => {
            const id = eventIdIn(text);
            void navigate({
              search: (search) => ({ ...search, part: "tail", find: text || undefined, event: id ?? search.event }),
              replace: true,
            });
          }}
        />
        <Button
          icon={<Icon of={paused ? Play : Pause} />}
          onClick={() => setPaused(!paused)}
          aria-label={paused ? t("hub.tail.resume") : t("hub.tail.pause")}
        >
          <span className="not-narrow-words">{paused ? t("hub.tail.resume") : t("hub.tail.pause")}</span>
        </Button>
      </TopBar>
      <div className="hub-body" ref={outer}>
        {tail.gap ? <p className="banner">{t("hub.tail.gap")}</p> : null}
        <HubCharts stats={stats} />
        <div className="hub-split">
          {tail.loaded && isKnown && shown.length > 0 ? (
            <TailList
              key={`${filter.event} ${filter.source}`}
              events={shown}
              chosen={chosen}
              held={tail.held}
              paused={paused}
              foot={<Foot searched={filter.words.length > 0 ? tail.events.length : null} />}
              outer={narrow ? outer : null}
              onChoose={choose}
              onTop={setAtTop}
              onPresent={() => setPaused(false)}
            />
          ) : tail.failure ? (
            <Notice title={t("hub.tail.failed")} lead={sentenceOf(tail.failure)}>
              <Button onClick={hub.tail.refresh}>{t("action.tryAgain")}</Button>
            </Notice>
          ) : !tail.loaded || !isKnown || tail.older === "loading" ? (
            <div className="hub-pane">
              <ListSkeleton label={t("hub.tail.loading")} rows={6} />
            </div>
          ) : find ? (
            <Notice title={t("hub.tail.notFound")} lead={t("hub.tail.notFoundLead", counted(tail.events.length))}>
              {tail.older === "more" ? <Button onClick={() => void hub.tail.loadOlder()}>{t("hub.tail.searchOn")}</Button> : null}
              {present}
              <Button onClick={() => void navigate({ search: { part: "tail" } })}>{t("hub.tail.showAll")}</Button>
            </Notice>
          ) : (
            <Notice title={t("hub.tail.empty")} lead={t("hub.tail.emptyLead")}>
              {present}
            </Notice>
          )}
          {chosen ? (
            <LifePanel
              id={chosen}
              onClose={() => {
                choose(null);
                requestAnimationFrame(() => document.getElementById(ROWS)?.focus({ preventScroll: true }));
              }}
              onOpen={choose}
              onAskAgain={onAskAgain}
            />
          ) : null}
        </div>
      </div>
    </>
  );
}

interface FindBoxProps {
  readonly find: string;
  readonly onFind: (text: string) => void;
}

/** What is typed is shown at once; the address follows, and changes the box when it was changed elsewhere. */
function FindBox({ find, onFind }: FindBoxProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(find);
  const told = useRef(find);
  useEffect(() => {
    if (find === told.current) return;
    told.current = find;
    setText(find);
  }, [find]);
  return (
    <span className="hub-find">
      <Icon of={ListFilter} />
      <input
        id={FIND_BOX}
        type="search"
        className="input"
        value={text}
        onChange={(event) => {
          told.current = event.target.value.trim();
          setText(event.target.value);
          onFind(told.current);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (text === "") event.currentTarget.blur();
          setText("");
          told.current = "";
          onFind("");
        }}
        aria-label={t("hub.tail.filter")}
        placeholder={t("hub.tail.filterHint")}
        title={t("hub.tail.filterTitle")}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
      />
    </span>
  );
}

interface LiveMarkProps {
  readonly connection: Connection;
  readonly paused: boolean;
  readonly onAskAgain: () => void;
}

/** Whether what is shown is what there is. */
function LiveMark({ connection, paused, onAskAgain }: LiveMarkProps) {
  const { t } = useTranslation();
  const { tail } = useHub();
  const now = useNow(1_000);
  if (connection.status === "ended") {
    return (
      <span className="hub-live" data-tone="warn" role="status">
        {t("hub.tail.ended")}
        <button type="button" className="link-button" onClick={onAskAgain}>
          {t("action.tryAgain")}
        </button>
      </span>
    );
  }
  if (connection.status === "waiting") {
    return (
      <span className="hub-live" data-tone="warn">
        <span role="status">{t("hub.tail.notLive")}</span>
        <span className="num not-narrow-words">{t("hub.tail.againIn", { time: wait(connection.until - now) })}</span>
        <button type="button" className="link-button" onClick={tail.hurry}>
          {t("action.tryAgain")}
        </button>
      </span>
    );
  }
  return (
    <span className="hub-live" data-tone={connection.status === "live" && !paused ? "live" : "rest"} role="status">
      <i aria-hidden="true" />
      {connection.status === "connecting" ? t("hub.tail.connecting") : paused ? t("hub.tail.paused") : t("hub.tail.live")}
    </span>
  );
}

/** What there is below the last row. */
function Foot({ searched }: { readonly searched: number | null }) {
  const { t } = useTranslation();
  const { tail } = useHub();
  const { older, events } = useSyncExternalStore(tail.subscribe, tail.state);
  const last = events.at(-1);
  if (older === "loading") return <p>{t("hub.tail.loadingOlder")}</p>;
  if (older === "failed" || (older === "more" && searched !== null)) {
    return (
      <p>
        {older === "failed" ? t("hub.tail.olderFailed") : t("hub.tail.searched", counted(searched ?? 0))}{" "}
        <button type="button" className="link-button" onClick={() => void tail.loadOlder()}>
          {older === "failed" ? t("action.tryAgain") : t("hub.tail.searchOn")}
        </button>
      </p>
    );
  }
  if (older === "full") return <p>{t("hub.tail.full", counted(events.length))}</p>;
  return older === "end" && last ? <p>{t("hub.tail.end")}</p> : null;
}
