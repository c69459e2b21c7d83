/** What was written and not sent, for each channel, until the login ends or the page closes. */
const drafts = new Map<string, string>();

export function draftOf(channelId: string): string {
  return drafts.get(channelId) ?? "";
}

export function keepDraft(channelId: string, text: string): void {
  if (text === "") drafts.delete(channelId);
  else drafts.set(channelId, text);
}

export function clearDrafts(): void {
  drafts.clear();
}
