/** Every picture the player has appended, by its time on the player's timeline: exact clock, exact steps. */
import { pictureTimes, videoTrack, type VideoTrack } from "./fmp4.ts";

/** What is read of a fragment: its number in the playlist, and which continuity (run) it belongs to. */
export interface FragmentPlace {
  readonly sn: number;
  readonly cc: number;
}

/** Two pictures are never closer than this (s); times differ by less only through rounding. */
const APART_S = 0.001;

export class Pictures {
  private readonly tracks = new Map<number, VideoTrack>();
  /** By continuity: what the player takes off the file's times to place them on its timeline. */
  private readonly shifts = new Map<number, number>();
  private readonly fileTimes = new Map<number, { readonly cc: number; readonly times: readonly number[] }>();

  shift(cc: number, seconds: number): void {
    this.shifts.set(cc, seconds);
  }

  /** Reads what is appended: an init segment, or a fragment or a part of one. */
  learn({ sn, cc }: FragmentPlace, data: Uint8Array): void {
    const found = videoTrack(data);
    if (found) this.tracks.set(cc, found);
    const track = this.tracks.get(cc);
    const times = track ? pictureTimes(data, track) : [];
    if (!times.length) return;
    const known = this.fileTimes.get(sn)?.times ?? [];
    const joined = [...known.filter((t) => !times.includes(t)), ...times].sort((a, b) => a - b);
    this.fileTimes.set(sn, { cc, times: joined });
  }

  /** Times of a fragment's pictures on the player's timeline; empty if it was never appended. */
  of(sn: number): readonly number[] {
    const known = this.fileTimes.get(sn);
    const shift = known && this.shifts.get(known.cc);
    return shift === undefined ? [] : known!.times.map((t) => t - shift);
  }

  /**
   * The picture after (1) or before (-1) the one shown at `mediaTime` in fragment `sn`, looking into its neighbours.
   * Undefined where that picture was never appended.
   */
  neighbour(sn: number, mediaTime: number, direction: 1 | -1): number | undefined {
    const times = [...this.of(sn - 1), ...this.of(sn), ...this.of(sn + 1)];
    return direction === 1 ? times.find((t) => t > mediaTime + APART_S) : times.findLast((t) => t < mediaTime - APART_S);
  }
}
