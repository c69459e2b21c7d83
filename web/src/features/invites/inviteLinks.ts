/** Between invite codes and links. */

const CODE = /^[A-Za-z0-9_-]{4,64}$/;

/** The link that leads to an invite of this instance. */
export function inviteLink(code: string, origin: string): string {
  return `${origin}/invite/${code}`;
}

/** The code in a link, or a bare code; `null` if it is neither. */
export function inviteCodeOf(text: string): string | null {
  const trimmed = text.trim();
  const last = /\/invite\/([^/?#]+)/.exec(trimmed)?.[1] ?? trimmed;
  return CODE.test(last) ? last : null;
}
