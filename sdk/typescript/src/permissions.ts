/** The permission algebra, as the instance applies it. Here it only decides what a screen offers; the instance decides what happens. */
import type { Channel, Guild, Id, Member } from "./wire.ts";

/** Bits by their Discord positions. */
export const Permission = {
  createInvite: 1n << 0n,
  kickMembers: 1n << 1n,
  administrator: 1n << 3n,
  manageChannels: 1n << 4n,
  manageGuild: 1n << 5n,
  viewChannel: 1n << 10n,
  sendMessages: 1n << 11n,
  readMessageHistory: 1n << 16n,
} as const;

const ALL = (1n << 53n) - 1n;

/** What a member may do in a guild, or in one of its channels. Nobody (`undefined`) may do nothing. */
export function permissionsOf(
  guild: Guild,
  member: (Pick<Member, "roles"> & { readonly userId: Id }) | undefined,
  channel?: Channel,
): bigint {
  if (!member) return 0n;
  if (guild.owner_id === member.userId) return ALL;
  let base = 0n;
  for (const role of guild.roles) {
    if (role.id === guild.id || member.roles.includes(role.id)) base |= BigInt(role.permissions);
  }
  if (base & Permission.administrator) return ALL;
  if (!channel) return base;
  return overwritten(base, guild.id, member, channel);
}

/** Whether a set of permissions holds one. */
export function allows(permissions: bigint, permission: bigint): boolean {
  return (permissions & permission) === permission;
}

/** Order as Discord's: everyone, then the member's roles together, then the member; in each step denials first. */
function overwritten(base: bigint, guildId: Id, member: Pick<Member, "roles"> & { readonly userId: Id }, channel: Channel): bigint {
  let result = base;
  let roleAllow = 0n;
  let roleDeny = 0n;
  let memberAllow = 0n;
  let memberDeny = 0n;
  for (const overwrite of channel.permission_overwrites) {
    const allow = BigInt(overwrite.allow);
    const deny = BigInt(overwrite.deny);
    if (overwrite.type === 0 && overwrite.id === guildId) result = (result & ~deny) | allow;
    else if (overwrite.type === 0 && member.roles.includes(overwrite.id)) {
      roleAllow |= allow;
      roleDeny |= deny;
    } else if (overwrite.type === 1 && overwrite.id === member.userId) {
      memberAllow = allow;
      memberDeny = deny;
    }
  }
  result = (result & ~roleDeny) | roleAllow;
  return (result & ~memberDeny) | memberAllow;
}
