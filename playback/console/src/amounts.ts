/** How amounts of bytes are written: three digits, in decimal steps as disks are sold. Pure. */

const STEPS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;

export function bytesText(bytes: number): string {
  let [value, step] = [bytes, 0];
  while (value >= 999.5 && step < STEPS.length - 1) [value, step] = [value / 1000, step + 1];
  const places = step === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${Number(value.toFixed(places))} ${STEPS[step]}`;
}
