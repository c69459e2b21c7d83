/** How well a name fits what was typed. */

export interface Match {
  readonly score: number;
  /** Where in the name the match stands, as [start, end). */
  readonly at: readonly [number, number];
}

/** At the start beats at the start of a word beats anywhere; shorter names first. `null` if it does not fit. */
export function matchOf(name: string, query: string): Match | null {
  if (query === "") return { score: 0, at: [0, 0] };
  const start = name.toLocaleLowerCase().indexOf(query.toLocaleLowerCase());
  if (start < 0) return null;
  const place = start === 0 ? 3_000 : /[\s._-]/.test(name[start - 1] ?? "") ? 2_000 : 1_000;
  return { score: place - name.length, at: [start, start + query.length] };
}
