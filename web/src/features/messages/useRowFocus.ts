import type { Virtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useRef } from "react";

/** Arrow keys between rows, Enter into one, Esc out again; the list itself is one tab stop. */
export function useRowFocus(scroller: RefObject<HTMLDivElement | null>, virtualizer: Virtualizer<HTMLDivElement, Element>, count: number) {
  const active = useRef<number | null>(null);

  const focusRow = (index: number) => {
    active.current = index;
    virtualizer.scrollToIndex(index, { align: "auto" });
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"] article`)?.focus({ preventScroll: true });
    });
  };

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>("[data-index]");
    const onRow = target.tagName === "ARTICLE";
    const at = row ? Number(row.dataset.index) : (active.current ?? count);
    if (event.key === "Escape" && target !== scroller.current) {
      event.preventDefault();
      if (onRow) scroller.current?.focus({ preventScroll: true });
      else row?.querySelector<HTMLElement>("article")?.focus({ preventScroll: true });
      return;
    }
    if (!onRow && target !== scroller.current) return;
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: count - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      focusRow(Math.max(0, Math.min(count - 1, next)));
    } else if (event.key === "Enter" && onRow) {
      target.querySelector<HTMLElement>("a, button")?.focus();
    }
  };

  return { onKeyDown };
}
