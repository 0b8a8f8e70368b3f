/** Civil time for people: days, clocks and lengths, in local time or UTC. Moments are milliseconds since 1970 UTC, as in Date. */

export type Zone = "local" | "utc";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
}

function parts(at: number, zone: Zone): Parts {
  const d = new Date(at);
  return zone === "utc"
    ? {
        year: d.getUTCFullYear(), month: d.getUTCMonth(), day: d.getUTCDate(),
        hour: d.getUTCHours(), minute: d.getUTCMinutes(), second: d.getUTCSeconds(), ms: d.getUTCMilliseconds(),
      }
    : {
        year: d.getFullYear(), month: d.getMonth(), day: d.getDate(),
        hour: d.getHours(), minute: d.getMinutes(), second: d.getSeconds(), ms: d.getMilliseconds(),
      };
}

function midnight(year: number, month: number, day: number, zone: Zone): number {
  return zone === "utc" ? Date.UTC(year, month, day) : new Date(year, month, day).getTime();
}

/** The midnight that begins the civil day `days` after the one `at` lies in; days of 23 and 25 hours come out right. */
export function dayStart(at: number, zone: Zone, days = 0): number {
  const { year, month, day } = parts(at, zone);
  return midnight(year, month, day + days, zone);
}

const two = (n: number): string => String(n).padStart(2, "0");

/** `2026-01-31`. */
export function dateText(at: number, zone: Zone): string {
  const { year, month, day } = parts(at, zone);
  return `${String(year).padStart(4, "0")}-${two(month + 1)}-${two(day)}`;
}

/** `08:05` */
export function minuteText(at: number, zone: Zone): string {
  const { hour, minute } = parts(at, zone);
  return `${two(hour)}:${two(minute)}`;
}

/** `08:05:09` */
export function secondText(at: number, zone: Zone): string {
  return `${minuteText(at, zone)}:${two(parts(at, zone).second)}`;
}

/** `08:05:09.040`; fractions of a millisecond are rounded to the nearest. */
export function clockText(at: number, zone: Zone): string {
  const whole = Math.round(at);
  return `${secondText(whole, zone)}.${String(parts(whole, zone).ms).padStart(3, "0")}`;
}

/** The midnight of a date as a date input gives it (`2026-01-31`), or null if it is none. */
export function parseDate(text: string, zone: Zone): number | null {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!found) return null;
  const at = midnight(Number(found[1]), Number(found[2]) - 1, Number(found[3]), zone);
  return Number.isNaN(at) || dateText(at, zone) !== text ? null : at;
}

/** `UTC`, or the local offset at that moment: `UTC+08:00`. */
export function zoneText(at: number, zone: Zone): string {
  if (zone === "utc") return "UTC";
  const minutes = -new Date(at).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A length in its two largest units: `23 h 58 min`, `4 min 10 s`, `7 s`, `0.4 s`. */
export function lengthText(length: number): string {
  if (length < 10 * SECOND) return `${Math.round(length / 100) / 10} s`;
  const seconds = Math.round(length / SECOND);
  const units: readonly [number, string][] = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const shown: string[] = [];
  let rest = seconds;
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) shown.push(`${count} ${name}`);
    else if (shown.length > 0) break;
    if (shown.length === 2) break;
  }
  return shown.join(" ");
}

/** RFC 3339 in UTC with milliseconds, as the API takes it. */
export function iso(at: number): string {
  return new Date(Math.round(at)).toISOString();
}
