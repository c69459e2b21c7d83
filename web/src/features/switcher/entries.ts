/** What the quick switcher offers for a state and a query: pure. */
import { channelsOf, guildsInOrder, isGuildUnread, isUnread } from "@nexus/sdk/store/selectors";
import type { State } from "@nexus/sdk/store/state";
import { type Match, matchOf } from "./rank.ts";

export interface Entry {
  readonly kind: "channel" | "guild";
  readonly id: string;
  readonly guildId: string;
  readonly name: string;
  /** The guild's name, for channels. */
  readonly hint: string | null;
  readonly unread: boolean;
  readonly match: Match;
}

/** Results of one kind at most. */
const ENTRIES_MAX = 8;

/** Best first, channels before guilds. `#` and `*` narrow to one kind. Without a query, what is unread comes first. */
export function entriesOf(state: State, input: string): Entry[] {
  const scope = input.startsWith("#") ? "channel" : input.startsWith("*") ? "guild" : null;
  const query = (scope ? input.slice(1) : input).trim();
  const channels: Entry[] = [];
  const guilds: Entry[] = [];
  for (const guild of guildsInOrder(state)) {
    const match = matchOf(guild.name, query);
    if (match)
      guilds.push({
        kind: "guild",
        id: guild.id,
        guildId: guild.id,
        name: guild.name,
        hint: null,
        unread: isGuildUnread(state, guild.id),
        match,
      });
    for (const channel of channelsOf(state, guild.id)) {
      const fits = matchOf(channel.name, query);
      if (fits)
        channels.push({
          kind: "channel",
          id: channel.id,
          guildId: guild.id,
          name: channel.name,
          hint: guild.name,
          unread: isUnread(state, channel.id),
          match: fits,
        });
    }
  }
  const best = (list: Entry[]) =>
    list.sort((a, b) => b.match.score - a.match.score || Number(b.unread) - Number(a.unread)).slice(0, ENTRIES_MAX);
  return [...(scope === "guild" ? [] : best(channels)), ...(scope === "channel" ? [] : best(guilds))];
}
