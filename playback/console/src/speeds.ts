/** Playing speeds. Up to 4 every picture is played; above, only key frames are shown. */

export const SPEEDS = [1, 2, 4, 8, 16] as const;

/** The highest speed at which a browser without a hardware decoder still decodes every picture of 1080p in time. */
export const EVERY_PICTURE_UP_TO = 4;

export function faster(speed: number): number {
  return SPEEDS.find((s) => s > speed) ?? SPEEDS.at(-1)!;
}

export function slower(speed: number): number {
  return SPEEDS.findLast((s) => s < speed) ?? SPEEDS[0];
}
