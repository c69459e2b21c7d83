/** Remembers where somebody was: the last channel of each guild, and the last path of all. */

const PATH = "nexus.path";

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // No storage: nothing to come back to.
  }
}

export function rememberPlace(guildId: string, channelId: string): void {
  write(`nexus.channel.${guildId}`, channelId);
  write(PATH, `/channels/${guildId}/${channelId}`);
}

export function lastChannelOf(guildId: string): string | null {
  return read(`nexus.channel.${guildId}`);
}

export function lastPath(): string | null {
  return read(PATH);
}

/** Paths of this page that a link may send somebody to after logging in. */
export function isOwnPath(path: string | undefined): path is string {
  return path !== undefined && /^\/(?![/\\])/.test(path);
}
