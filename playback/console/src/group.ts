/**
 * Several cameras on one clock, that of the wall. Pure; wall moments in ms.
 *
 * Each camera's playlist has its own media time, without gaps; where a moment lies in it says the service (`GET /groups`).
 */

/** What the service says of cameras on one clock. */
export interface Group {
  readonly from: string;
  readonly to: string;
  readonly cameras: readonly {
    readonly camera: string;
    readonly playlist: string | null;
    readonly footage: readonly { readonly from: string; readonly to: string; readonly media_s: number }[];
    readonly cause: string | null;
  }[];
}

export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Media time of `from`, in s. */
  readonly media: number;
}

/** Media time of a moment in s; undefined in a gap. */
export function mediaOf(stretches: readonly Stretch[], wall: number): number | undefined {
  const found = stretches.find((s) => s.from <= wall && wall < s.to);
  return found && found.media + (wall - found.from) / 1000;
}

/** The first moment at or after this one at which any camera has footage; undefined if none has. */
export function nextFootage(cameras: readonly (readonly Stretch[])[], wall: number): number | undefined {
  const ahead = cameras.flat().filter((s) => s.to > wall);
  return ahead.length ? Math.min(...ahead.map((s) => Math.max(s.from, wall))) : undefined;
}

/** How a player that stands at `media` gets to where the common clock is: a jump, another rate, or nothing. */
export function correction(media: number, wanted: number, speed: number): { readonly jump: boolean; readonly rate: number } {
  const behind = wanted - media;
  if (Math.abs(behind) > JUMP_S) return { jump: true, rate: speed };
  if (Math.abs(behind) < IN_STEP_S) return { jump: false, rate: speed };
  return { jump: false, rate: speed * (1 + Math.max(-0.25, Math.min(0.25, behind))) };
}

/** Players this near to the common clock are in step. */
export const IN_STEP_S = 0.04;
/** Those further off than this jump. */
export const JUMP_S = 0.7;
