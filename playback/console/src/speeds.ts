/** Playing speeds. Up to 4 every picture is played; above, only key frames are shown. */

export const SPEEDS = [1, 2, 4, 8, 16] as const;

/** The highest speed at which browsers decode every picture in time (docs/design: software decoding of 1080p). */
export const EVERY_PICTURE_UP_TO = 4;

export function faster(speed: number): number {
  return SPEEDS.find((s) => s > speed) ?? SPEEDS.at(-1)!;
}

export function slower(speed: number): number {
  return SPEEDS.findLast((s) => s < speed) ?? SPEEDS[0];
}
