/** Where an answer says `[1]` or `[1, 3]`. */

export const CITATION = /^\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\](?!\()/;

/** The source numbers that a text cites. */
export function citedNumbers(text: string): ReadonlySet<number> {
  const found = text.matchAll(/\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]/g);
  return new Set([...found].flatMap(([, inside]) => (inside ?? '').split(',').map(Number)));
}
