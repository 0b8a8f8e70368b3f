/** The timeline as the API tells it: footage, and gaps with their one cause. Pure; moments in ms. */

export interface Footage {
  readonly kind: "footage";
  readonly from: number;
  readonly to: number;
  readonly codecs: string;
}

export interface Gap {
  readonly kind: "gap";
  readonly from: number;
  readonly to: number;
  readonly cause: string;
  readonly detail: string;
}

export type Span = Footage | Gap;

/** The API's answer, as far as the page reads it (docs/reference/api.md, Timeline). */
export interface TimelineAnswer {
  readonly from: string;
  readonly to: string;
  readonly resolution_s: number;
  readonly spans: readonly {
    readonly from: string;
    readonly to: string;
    readonly kind: string;
    readonly codecs?: string | null;
    readonly cause?: string | null;
    readonly detail?: string | null;
  }[];
  readonly buckets: readonly {
    readonly from: string;
    readonly footage_s: number;
    readonly gap_s: number;
    readonly cause?: string | null;
  }[];
}

/** Spans in order of time. Of a bucket the larger part speaks for the whole. */
export function spansOf(answer: TimelineAnswer): Span[] {
  const exact = answer.spans.map((s): Span => {
    const [from, to] = [Date.parse(s.from), Date.parse(s.to)];
    return s.kind === "footage"
      ? { kind: "footage", from, to, codecs: s.codecs ?? "" }
      : { kind: "gap", from, to, cause: s.cause ?? "unknown", detail: s.detail ?? "" };
  });
  const end = Date.parse(answer.to);
  const coarse = answer.buckets.map((b): Span => {
    const from = Date.parse(b.from);
    const to = Math.min(from + answer.resolution_s * 1000, end);
    return b.footage_s >= b.gap_s
      ? { kind: "footage", from, to, codecs: "" }
      : { kind: "gap", from, to, cause: b.cause ?? "unknown", detail: "" };
  });
  return merged([...exact, ...coarse].sort((a, b) => a.from - b.from));
}

function alike(a: Span, b: Span): boolean {
  if (a.kind === "footage") return b.kind === "footage" && a.codecs === b.codecs;
  return b.kind === "gap" && a.cause === b.cause && a.detail === b.detail;
}

/** Joins neighbours that touch and say the same. */
export function merged(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last && last.to >= span.from && alike(last, span)) joined[joined.length - 1] = { ...last, to: Math.max(last.to, span.to) };
    else joined.push(span);
  }
  return joined;
}

/** The span a moment lies in, by halving; undefined outside of all. */
export function spanAt(spans: readonly Span[], at: number): Span | undefined {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.to <= at) low = middle + 1;
    else high = middle;
  }
  const found = spans[low];
  return found && found.from <= at ? found : undefined;
}

/** The first footage that ends after a moment; it may hold the moment itself. */
export function footageFrom(spans: readonly Span[], at: number): Footage | undefined {
  return spans.find((s): s is Footage => s.kind === "footage" && s.to > at);
}

/** How much footage lies between two moments, in ms. */
export function footageLength(spans: readonly Span[], from: number, to: number): number {
  let sum = 0;
  for (const s of spans) if (s.kind === "footage") sum += Math.max(0, Math.min(s.to, to) - Math.max(s.from, from));
  return sum;
}

/** The gaps worth telling: not what has not happened yet or was before the camera. */
export function toldGaps(spans: readonly Span[]): Gap[] {
  return spans.filter((s): s is Gap => s.kind === "gap" && s.cause !== "future" && s.cause !== "not-commissioned");
}

/** The codec texts of the footage between two moments, each once. */
export function codecsBetween(spans: readonly Span[], from: number, to: number): string[] {
  const inside = spans.filter((s): s is Footage => s.kind === "footage" && s.codecs !== "" && s.from < to && s.to > from);
  return [...new Set(inside.map((s) => s.codecs))];
}
