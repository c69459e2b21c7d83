import { isNewer } from "@nexus/sdk/ids";
import { echoesOf, isUnread, readUpTo } from "@nexus/sdk/store/selectors";
import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useClient, useSelect } from "../../app/ClientContext.tsx";
import { useTranslation } from "../../i18n/useTranslation.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Notice } from "../../ui/Notice.tsx";
import { MessagesSkeleton } from "../../ui/Skeleton.tsx";
import { Announcer } from "./Announcer.tsx";
import { ChannelStart, MessageRow } from "./MessageRow.tsx";
import { type Row, rowsOf } from "./rows.ts";
import { useHistory } from "./useHistory.ts";
import { useReading } from "./useReading.ts";
import { useRowFocus } from "./useRowFocus.ts";

/** This close to the end, the list follows what arrives. */
const AT_END_PX = 48;
/** History is fetched when fewer rows than this are left above or below. */
const FETCH_WITHIN_ROWS = 12;

/** The messages of a channel, anchored to their end: what arrives or is loaded never moves what is read. */
export function MessageList({ channelId }: { readonly channelId: string }) {
  const { t } = useTranslation();
  const client = useClient();
  const channel = useSelect((state) => state.channels.get(channelId));
  const window = useSelect((state) => state.windows.get(channelId));
  const echoes = useSelect((state) => echoesOf(state, channelId));
  const myId = useSelect((state) => state.me?.id ?? "");
  const history = useHistory(channelId);
  const [newAfter, setNewAfter] = useState<string | null>(() => {
    const state = client.store.state();
    return isUnread(state, channelId) ? readUpTo(state, channelId) : null;
  });

  const rows = useMemo(
    () =>
      window
        ? rowsOf({ messages: window.messages, echoes, myId, hasMoreBefore: window.hasMoreBefore || window.withoutHistory, newAfter })
        : [],
    [window, echoes, myId, newAfter],
  );

  if (!channel) return null;
  if (!window && history.failed) {
    return (
      <div className="stream-wrap items-end">
        <Notice title={t("messages.loadFailed")} lead={t("errors.network")}>
          <Button onClick={history.retry}>{t("action.tryAgain")}</Button>
        </Notice>
      </div>
    );
  }
  if (!window) {
    return (
      <div className="stream-wrap">
        <MessagesSkeleton label={t("messages.loadingOlder")} />
      </div>
    );
  }
  if (rows.length === 0 && window.withoutHistory) {
    return (
      <div className="stream-wrap items-end">
        <Notice title={t("messages.noHistoryTitle")} lead={t("messages.noHistoryLead", { name: channel.name })} />
      </div>
    );
  }
  if (rows.length === 0) {
    return (
      <div className="stream-wrap items-end">
        <ChannelStart name={channel.name} lead={t("messages.startLead")} />
      </div>
    );
  }
  return (
    <Stream
      rows={rows}
      channelId={channelId}
      guildId={channel.guild_id}
      channelName={channel.name}
      hasMoreBefore={window.hasMoreBefore}
      hasMoreAfter={window.hasMoreAfter}
      loadingOlder={history.loadingOlder}
      onOlder={history.older}
      onNewer={history.newer}
      onPresent={history.present}
      onUnread={setNewAfter}
    />
  );
}

interface StreamProps {
  readonly rows: readonly Row[];
  readonly channelId: string;
  readonly guildId: string;
  readonly channelName: string;
  readonly hasMoreBefore: boolean;
  readonly hasMoreAfter: boolean;
  readonly loadingOlder: boolean;
  readonly onOlder: () => void;
  readonly onNewer: () => void;
  readonly onPresent: () => Promise<void>;
  readonly onUnread: (after: string | null) => void;
}

function Stream(props: StreamProps) {
  const { rows, channelId, guildId, channelName, hasMoreBefore, hasMoreAfter } = props;
  const { t } = useTranslation();
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);

  // Asked before the new rows are told: whoever stood at the end stays there, also when something is put in before a waiting message.
  const instance = useRef<Virtualizer<HTMLDivElement, Element> | null>(null);
  const follows = instance.current?.isAtEnd() ?? false;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: useCallback((index: number) => estimate(rows[index]), [rows]),
    getItemKey: useCallback((index: number) => rows[index]?.key ?? index, [rows]),
    anchorTo: "end",
    scrollEndThreshold: AT_END_PX,
    overscan: 10,
    paddingEnd: 2,
    onChange: (instance) => setAtEnd(instance.isAtEnd()),
  });
  instance.current = virtualizer;
  const items = virtualizer.getVirtualItems();

  // Opens at the New mark if there is one among what is held, else at the end.
  const opened = useRef(false);
  useLayoutEffect(() => {
    if (opened.current) return;
    opened.current = true;
    const mark = rows.findIndex((row) => row.isNew);
    if (mark > 0) virtualizer.scrollToIndex(mark, { align: "start" });
    else virtualizer.scrollToEnd();
  }, [rows, virtualizer]);

  // Before the first measurement nothing is shown, and nothing may be concluded from that.
  const drawn = useRef(rows);
  useLayoutEffect(() => {
    if (drawn.current === rows) return;
    drawn.current = rows;
    if (follows) virtualizer.scrollToEnd();
  }, [rows, follows, virtualizer]);

  const firstShown = items[0]?.index ?? FETCH_WITHIN_ROWS;
  const lastShown = items.at(-1)?.index ?? 0;
  const { onOlder, onNewer, onPresent } = props;
  useEffect(() => {
    if (hasMoreBefore && firstShown < FETCH_WITHIN_ROWS) onOlder();
  }, [hasMoreBefore, firstShown, onOlder]);
  useEffect(() => {
    if (hasMoreAfter && lastShown > rows.length - FETCH_WITHIN_ROWS) onNewer();
  }, [hasMoreAfter, lastShown, rows.length, onNewer]);

  // One's own new message is always followed.
  const ownKey = rows.at(-1)?.echo?.nonce ?? null;
  const lastOwn = useRef(ownKey);
  const { onUnread } = props;
  useLayoutEffect(() => {
    if (ownKey === null || ownKey === lastOwn.current) return;
    lastOwn.current = ownKey;
    onUnread(null);
    if (hasMoreAfter) void onPresent().then(() => virtualizer.scrollToEnd());
    else virtualizer.scrollToEnd();
  }, [ownKey, hasMoreAfter, onPresent, onUnread, virtualizer]);

  const reading = atEnd && !hasMoreAfter;
  useReading(channelId, reading, onUnread);
  const focus = useRowFocus(scroller, virtualizer, rows.length);
  const missed = useMissed(channelId, rows);

  const jump = async () => {
    if (hasMoreAfter) await onPresent();
    virtualizer.scrollToEnd();
  };

  return (
    <div className="stream-wrap">
      {/* biome-ignore lint/a11y/useSemanticElements: A group of articles, not of fields. */}
      <div
        ref={scroller}
        className="stream"
        data-nx-part="message-list"
        role="group"
        aria-label={t("messages.list", { name: channelName })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: One tab stop for the whole list; arrows move between its rows.
        tabIndex={0}
        onKeyDown={focus.onKeyDown}
      >
        <div className="stream-inner" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="stream-row"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <MessageRow row={row} guildId={guildId} channelName={channelName} />
              </div>
            );
          })}
        </div>
      </div>
      {props.loadingOlder ? (
        <div className="pill skeleton" data-place="top" role="status">
          {t("messages.loadingOlder")}
        </div>
      ) : null}
      {reading ? null : (
        <button type="button" className="pill" onClick={jump}>
          <Icon of={ArrowDown} size="sm" />
          {hasMoreAfter ? t("messages.jumpMany") : missed > 0 ? t("messages.jumpNew", { count: missed }) : t("messages.jumpNow")}
        </button>
      )}
      <Announcer channelId={channelId} guildId={guildId} />
    </div>
  );
}

/** Messages of others below that have not been read. */
function useMissed(channelId: string, rows: readonly Row[]): number {
  const read = useSelect((state) => readUpTo(state, channelId));
  const myId = useSelect((state) => state.me?.id);
  return useMemo(() => rows.filter((row) => row.authorId !== myId && isNewer(row.id, read)).length, [rows, read, myId]);
}

/** Roughly how high a row will be, so that the scroll bar is about right before it is measured. */
function estimate(row: Row | undefined): number {
  if (!row) return 28;
  const lines = row.content.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 90)), 0);
  return (
    lines * 22 +
    6 +
    (row.first ? 36 : 0) +
    (row.day === null ? 0 : 30) +
    (row.isNew ? 24 : 0) +
    (row.isStart ? 84 : 0) +
    (row.status === "failed" ? 21 : 0)
  );
}
