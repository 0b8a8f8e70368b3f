/**
 * Media time to wall time and back, from a playlist's fragments.
 *
 * Each fragment has its place in media time (s) and its EXT-X-PROGRAM-DATE-TIME (RFC 8216, 4.3.2.6); gaps are left out of the playlist,
 * so media time goes on where wall time jumps. Pure; wall moments in ms.
 */

export interface Entry {
  /** Media time of its first picture's presentation, in s. */
  readonly start: number;
  readonly duration: number;
  /** Wall time of the same picture, in ms. */
  readonly wall: number;
}

/** Fragment edges come from sums of decimals: this much counts as none. */
const ROUNDING_S = 0.002;

/** The last entry for which `before` holds, by halving (entries are in order). */
function last(entries: readonly Entry[], before: (entry: Entry) => boolean): Entry | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(entries[middle]!)) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}

/** Wall time of a picture shown at this media time; undefined without entries. */
export function wallAt(entries: readonly Entry[], mediaTime: number): number | undefined {
  const entry = last(entries, (e) => e.start <= mediaTime + ROUNDING_S) ?? entries[0];
  return entry && entry.wall + (mediaTime - entry.start) * 1000;
}

/**
 * Media time at which a moment's picture is shown; in a gap, the first picture after it.
 * Undefined past the end of all entries, and more than one entry's length before the first.
 */
export function mediaAt(entries: readonly Entry[], wall: number): number | undefined {
  const at = last(entries, (e) => e.wall <= wall + ROUNDING_S * 1000);
  if (at) {
    const inside = (wall - at.wall) / 1000;
    if (inside < at.duration) return at.start + Math.max(inside, 0);
    return entries[entries.indexOf(at) + 1]?.start;
  }
  const first = entries[0];
  return first && first.wall - wall <= first.duration * 1000 ? first.start : undefined;
}

/** Wall time at which the entries end; undefined without entries. */
export function wallEnd(entries: readonly Entry[]): number | undefined {
  const end = entries.at(-1);
  return end && end.wall + end.duration * 1000;
}
