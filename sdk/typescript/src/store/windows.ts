/** Joining pages of history and live messages into stretches without holes. */
import { compareIds, isNewer } from "../ids.ts";
import type { Id, Message } from "../wire.ts";
import type { HistoryPage } from "./events.ts";
import type { MessageWindow } from "./state.ts";

/** Messages one window holds; beyond it the far end is let go and can be fetched again. */
export const WINDOW_MESSAGES_MAX = 2_000;

/** A window after a live message. One that does not reach the present stays as it is. */
export function withLive(window: MessageWindow, message: Message): MessageWindow {
  if (window.stale || window.hasMoreAfter) return window;
  const messages = union(window.messages, [message]);
  if (messages === window.messages) return window;
  return trimmed({ ...window, messages }, "start");
}

/**
 * A window after a page. `lastMessageId` is the channel's newest message as the gateway knows it: a page claims the end only if
 * it holds that message, for one that came while the page was on its way is in neither. It is `"unreadable"` if the viewer may not
 * read history: pages are empty then and claim the end.
 */
export function merge(
  window: MessageWindow | undefined,
  page: HistoryPage,
  messages: readonly Message[],
  lastMessageId: Id | null | "unreadable",
): MessageWindow {
  const withoutHistory = lastMessageId === "unreadable";
  const newest = withoutHistory ? null : lastMessageId;
  if (page.part === "latest" || !window) {
    const behind = isBehind(messages, newest);
    return {
      messages: union([], messages),
      hasMoreBefore: page.part === "after" || !page.reachedStart,
      hasMoreAfter: behind,
      stale: behind,
      withoutHistory,
    };
  }
  const joined = union(window.messages, messages);
  if (page.part === "before") return trimmed({ ...window, messages: joined, hasMoreBefore: !page.reachedStart }, "end");
  const behind = isBehind(joined, newest);
  const stale = page.reachedEnd ? behind : window.stale;
  return trimmed({ ...window, messages: joined, hasMoreAfter: !page.reachedEnd || behind, stale }, "start");
}

/** Whether a window ends before the newest message the gateway spoke of. */
function isBehind(messages: readonly Message[], lastMessageId: Id | null): boolean {
  return isNewer(lastMessageId, messages.at(-1)?.id);
}

/** Both lists in order of id, each message once; the same list if nothing is new. */
function union(held: readonly Message[], more: readonly Message[]): readonly Message[] {
  const known = new Set(held.map((message) => message.id));
  const fresh = more.filter((message) => !known.has(message.id));
  if (fresh.length === 0) return held;
  return [...held, ...fresh].sort((a, b) => compareIds(a.id, b.id));
}

function trimmed(window: MessageWindow, from: "start" | "end"): MessageWindow {
  const excess = window.messages.length - WINDOW_MESSAGES_MAX;
  if (excess <= 0) return window;
  return from === "start"
    ? { ...window, messages: window.messages.slice(excess), hasMoreBefore: true }
    : { ...window, messages: window.messages.slice(0, WINDOW_MESSAGES_MAX), hasMoreAfter: true };
}
