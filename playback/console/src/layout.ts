/** Where things stand on the timeline: bars and the ruler's ticks, in CSS pixels. Pure. */
import type { Span } from "./spans.ts";
import { HOUR, MINUTE, SECOND, dayStart, minuteText, secondText, type Zone } from "./time.ts";
import { toX, type View } from "./view.ts";

export interface Bar {
  readonly x: number;
  readonly width: number;
  readonly span: Span;
}

/** A gap is never drawn thinner than this: a lost second of a day must be seen. */
export const THINNEST_GAP_PX = 2;

/** The bars of the spans in view, footage first, so that a thin gap is drawn over the footage around it. */
export function bars(spans: readonly Span[], view: View, widthPx: number): Bar[] {
  const shown = spans.filter((s) => s.to > view.from && s.from < view.to);
  const placed = shown.map((span): Bar => {
    const left = Math.max(0, toX(view, span.from, widthPx));
    const right = Math.min(widthPx, toX(view, span.to, widthPx));
    const width = span.kind === "gap" ? Math.max(right - left, THINNEST_GAP_PX) : right - left;
    return { x: left, width, span };
  });
  return [...placed.filter((b) => b.span.kind === "footage"), ...placed.filter((b) => b.span.kind === "gap")];
}

export interface Tick {
  readonly x: number;
  /** Empty for the small ticks between. */
  readonly label: string;
}

/** Step of labels, and of the small ticks between them. */
const STEPS: readonly (readonly [number, number])[] = [
  [SECOND, SECOND / 5], [5 * SECOND, SECOND], [15 * SECOND, 5 * SECOND], [30 * SECOND, 5 * SECOND],
  [MINUTE, 10 * SECOND], [2 * MINUTE, 30 * SECOND], [5 * MINUTE, MINUTE], [10 * MINUTE, 2 * MINUTE], [30 * MINUTE, 5 * MINUTE],
  [HOUR, 10 * MINUTE], [2 * HOUR, 30 * MINUTE], [3 * HOUR, HOUR], [6 * HOUR, HOUR],
];

const LABEL_ROOM_PX = 78;

/** The ruler: labels at round civil times, as close as they can be read, counted from the day's midnight. */
export function ticks(view: View, widthPx: number, zone: Zone): Tick[] {
  const msPerPx = (view.to - view.from) / widthPx;
  const [step, small] = STEPS.find(([size]) => size / msPerPx >= LABEL_ROOM_PX) ?? STEPS.at(-1)!;
  const origin = dayStart(view.from, zone);
  const text = step < MINUTE ? secondText : minuteText;
  const found: Tick[] = [];
  for (let n = Math.ceil((view.from - origin) / small); origin + n * small <= view.to; n++) {
    const at = origin + n * small;
    found.push({ x: toX(view, at, widthPx), label: (n * small) % step === 0 ? text(at, zone) : "" });
  }
  return found;
}
