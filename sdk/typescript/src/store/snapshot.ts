/**
 * What an instance decides of a state, as plain data: the part that READY and the GUILD_CREATEs after it describe.
 * Left out: history, typing, echoes and the connection, which are the client's own.
 */
import { compareIds } from "../ids.ts";
import type { State } from "./state.ts";

/** A value for deep comparison; tables become lists in order of id. */
export function snapshotOf(state: State): unknown {
  const byId = <T extends { readonly id: string }>(list: Iterable<T>) => [...list].sort((a, b) => compareIds(a.id, b.id));
  return {
    me: state.me && { id: state.me.id, username: state.me.username },
    guilds: byId(state.guilds.values()).map((guild) => ({
      ...guild,
      channels: byId([...state.channels.values()].filter((channel) => channel.guild_id === guild.id)),
      members: [...(state.members.get(guild.id)?.values() ?? [])]
        .sort((a, b) => compareIds(a.userId, b.userId))
        .map((member) => ({ ...member, roles: [...member.roles].sort(compareIds), username: state.users.get(member.userId)?.username })),
    })),
    reads: [...state.reads].filter(([id]) => state.channels.has(id)).sort(([a], [b]) => compareIds(a, b)),
  };
}
