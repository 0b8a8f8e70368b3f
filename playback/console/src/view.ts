/** Which part of a day the timeline shows, and how it moves: zoom around the pointer, pan, fit. Pure; moments in ms. */

export interface View {
  readonly from: number;
  readonly to: number;
}

/** The shortest stretch the timeline zooms into. */
export const SHORTEST_MS = 20_000;

/** The view of this width nearest to `from` that lies in `bounds`. */
function placed(from: number, width: number, bounds: View): View {
  const fitting = Math.min(width, bounds.to - bounds.from);
  const start = Math.min(Math.max(from, bounds.from), bounds.to - fitting);
  return { from: start, to: start + fitting };
}

/** Zooms by `factor` (over 1: further in); the moment `at` stays where it is on the screen unless the bounds are met. */
export function zoomed(view: View, at: number, factor: number, bounds: View): View {
  const width = Math.max((view.to - view.from) / factor, SHORTEST_MS);
  const share = (at - view.from) / (view.to - view.from);
  return placed(at - share * width, width, bounds);
}

/** Moves by `shift` ms, as far as the bounds allow; the width stays. */
export function panned(view: View, shift: number, bounds: View): View {
  return placed(view.from + shift, view.to - view.from, bounds);
}

/** A view of this width with `at` in its middle, as far as the bounds allow. */
export function fitted(at: number, width: number, bounds: View): View {
  return placed(at - width / 2, width, bounds);
}

/** The view turned on like a page as the cursor runs out of its right edge; unchanged otherwise. */
export function followed(view: View, before: number, cursor: number, bounds: View): View {
  const width = view.to - view.from;
  const runsOut = before >= view.from && before < view.to && cursor >= view.to;
  return runsOut ? placed(cursor - width * 0.1, width, bounds) : view;
}

export function toX(view: View, at: number, widthPx: number): number {
  return ((at - view.from) / (view.to - view.from)) * widthPx;
}

export function toTime(view: View, x: number, widthPx: number): number {
  return view.from + (x / widthPx) * (view.to - view.from);
}
