/** What is open on top of the page: view state only, never server data. */
import { useSyncExternalStore } from "react";

export type Dialog =
  | { readonly kind: "create_guild" }
  | { readonly kind: "join_guild" }
  | { readonly kind: "edit_guild"; readonly guildId: string }
  | { readonly kind: "leave_guild"; readonly guildId: string }
  | { readonly kind: "delete_guild"; readonly guildId: string }
  | { readonly kind: "invite"; readonly guildId: string; readonly channelId: string }
  | { readonly kind: "create_channel"; readonly guildId: string }
  | { readonly kind: "edit_channel"; readonly channelId: string }
  | { readonly kind: "delete_channel"; readonly channelId: string }
  | { readonly kind: "remove_member"; readonly guildId: string; readonly userId: string }
  | { readonly kind: "settings" }
  | { readonly kind: "switcher" };

export interface View {
  readonly dialog: Dialog | null;
  /** The people column where there is room for one. */
  readonly peopleColumn: boolean;
  /** The people panel over the sheet where there is none. */
  readonly peoplePanel: boolean;
  readonly toast: { readonly key: number; readonly text: string } | null;
}

let view: View = { dialog: null, peopleColumn: true, peoplePanel: false, toast: null };
const listeners = new Set<() => void>();

function change(part: Partial<View>): void {
  view = { ...view, ...part };
  for (const listener of listeners) listener();
}

export function openDialog(dialog: Dialog): void {
  change({ dialog });
}

export function closeDialog(): void {
  change({ dialog: null });
}

export function togglePeople(wide: boolean): void {
  change(wide ? { peopleColumn: !view.peopleColumn } : { peoplePanel: !view.peoplePanel });
}

export function closePeoplePanel(): void {
  if (view.peoplePanel) change({ peoplePanel: false });
}

/** Says one line at the edge; never for what the screen shows already. */
export function toast(text: string): void {
  change({ toast: { key: Date.now(), text } });
}

export function dropToast(key: number): void {
  if (view.toast?.key === key) change({ toast: null });
}

export function useView(): View {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => view,
  );
}
