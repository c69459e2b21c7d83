/** The plain grammar of messages for now: text and links. It gives pieces, never markup. */

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string };

const LINK = /https?:\/\/[^\s<>"']+/gi;
/** Punctuation that ends a sentence rather than an address. */
const TRAILING = /[.,;:!?]+$/;

export function piecesOf(content: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of content.matchAll(LINK)) {
    const text = withoutTail(match[0]);
    const href = hrefOf(text);
    if (!href) continue;
    if (match.index > end) pieces.push({ kind: "text", text: content.slice(end, match.index) });
    pieces.push({ kind: "link", text, href });
    end = match.index + text.length;
  }
  if (end < content.length) pieces.push({ kind: "text", text: content.slice(end) });
  return pieces;
}

/** A closing bracket belongs to the address only if it was opened in it. */
function withoutTail(address: string): string {
  let text = address.replace(TRAILING, "");
  while (text.endsWith(")") && text.split("(").length < text.split(")").length) text = text.slice(0, -1).replace(TRAILING, "");
  return text;
}

function hrefOf(text: string): string | null {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
