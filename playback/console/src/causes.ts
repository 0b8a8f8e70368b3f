/** How each cause of a gap looks: a colour of the stylesheet, and whether it is hatched. */

/** Calm where all is as it should be, louder where someone should look. */
const COLOURS: Readonly<Record<string, string>> = {
  deleted: "--gap-quiet",
  "not-commissioned": "--gap-none",
  future: "--gap-none",
  elsewhere: "--gap-quiet",
  disabled: "--gap-quiet",
  "recorder-away": "--gap-own",
  "spool-full": "--gap-own",
  "login-refused": "--gap-loud",
  unsupported: "--gap-loud",
  "camera-away": "--gap-camera",
  "media-stopped": "--gap-camera",
  "no-key-frame": "--gap-camera",
  reconnecting: "--gap-quiet",
};

/** The name of the colour variable of a cause. */
export function causeColour(cause: string): string {
  return COLOURS[cause] ?? "--gap-unknown";
}

/** Time that cannot have footage is left plain. */
export function isPlain(cause: string): boolean {
  return causeColour(cause) === "--gap-none";
}
