import { channelsOf, guildsInOrder, isUnread } from "@nexus/sdk/store/selectors";
import type { ChannelRecord, State } from "@nexus/sdk/store/state";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { useClient } from "../../app/ClientContext.tsx";
import { openDialog } from "../../app/view.ts";

/** Keys that work everywhere: Ctrl or Cmd K, Alt and arrows between channels, with Shift between unread ones. */
export function Shortcuts() {
  const { store } = useClient();
  const navigate = useNavigate();
  const { guildId, channelId } = useParams({ strict: false });

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openDialog({ kind: "switcher" });
        return;
      }
      const step = event.altKey && !event.ctrlKey && !event.metaKey ? { ArrowDown: 1, ArrowUp: -1 }[event.key] : undefined;
      if (step === undefined) return;
      event.preventDefault();
      const next = neighbourOf(store.state(), guildId, channelId, step, event.shiftKey);
      if (next) void navigate({ to: "/channels/$guildId/$channelId", params: { guildId: next.guild_id, channelId: next.id } });
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [store, navigate, guildId, channelId]);

  return null;
}

/** The next channel of the guild, or the next unread one of all guilds, going round. */
export function neighbourOf(
  state: State,
  guildId: string | undefined,
  channelId: string | undefined,
  step: number,
  unreadOnly: boolean,
): ChannelRecord | undefined {
  const places = unreadOnly || !guildId ? guildsInOrder(state).flatMap((guild) => channelsOf(state, guild.id)) : channelsOf(state, guildId);
  const at = places.findIndex((channel) => channel.id === channelId);
  for (let distance = 1; distance <= places.length; distance++) {
    const from = at < 0 ? (step > 0 ? -1 : 0) : at;
    const candidate = places[(from + step * distance + places.length * 2) % places.length];
    if (candidate && candidate.id !== channelId && (!unreadOnly || isUnread(state, candidate.id))) return candidate;
  }
  return undefined;
}
