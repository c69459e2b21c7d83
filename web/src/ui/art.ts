/** Small pictures drawn from an id, for people and communities without one of their own. Decoration for recognition, never proof. */

/** The number of person hues in tokens.css. */
const HUES = 8;

/** FNV-1a over the characters, then MurmurHash3's finaliser: ids that differ in one digit must not look alike. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The colour of a person's name, from the eight of tokens.css. */
export function personColour(id: string): string {
  return `var(--nx-person-${(hashOf(id) % HUES) + 1})`;
}

/** The three colours of a picture: ground, shape, detail. */
export interface Palette {
  readonly ground: string;
  readonly shape: string;
  readonly detail: string;
}

const palettes: readonly Palette[] = [
  { ground: "#F4CDAA", shape: "#2F6C88", detail: "#E4694A" },
  { ground: "#C4DBD6", shape: "#3C5869", detail: "#6A9072" },
  { ground: "#2A2950", shape: "#B97A4C", detail: "#F5E5C4" },
  { ground: "#F1D88F", shape: "#7D5030", detail: "#FFF4D6" },
  { ground: "#DCE9C8", shape: "#3F7F59", detail: "#72B06F" },
  { ground: "#433DA6", shape: "#9C96FF", detail: "#19CDB4" },
  { ground: "#A9CAE8", shape: "#3E7CA8", detail: "#FFFFFF" },
  { ground: "#FBE4DD", shape: "#D7453C", detail: "#3A1F22" },
  { ground: "#0D3F3C", shape: "#8FE3D5", detail: "#F3D9A4" },
  { ground: "#F6BE6A", shape: "#C8553D", detail: "#FBE7C3" },
];

export function paletteOf(id: string): Palette {
  return palettes[hashOf(`${id} palette`) % palettes.length] as Palette;
}

/** The first letters of a community's name, at most two. */
export function initialsOf(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? "");
  return letters.join("").toLocaleUpperCase();
}
