/** The timeline's model, against answers as the API gives them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bars, ticks, THINNEST_GAP_PX } from "../src/layout.ts";
import { codecsBetween, footageFrom, footageLength, spanAt, spansOf, toldGaps, type TimelineAnswer } from "../src/spans.ts";

const t = (clock: string): string => `2026-01-31T${clock}.000Z`;
const ms = (clock: string): number => Date.parse(t(clock));

const answer: TimelineAnswer = {
  from: t("08:00:00"), to: t("09:00:00"), resolution_s: 0, buckets: [],
  spans: [
    { from: t("08:00:00"), to: t("08:20:00"), kind: "footage", codecs: "avc1.64001f" },
    { from: t("08:20:00"), to: t("08:25:00"), kind: "gap", cause: "camera-away", detail: "connection refused" },
    { from: t("08:25:00"), to: t("08:40:00"), kind: "footage", codecs: "avc1.64001f" },
    { from: t("08:40:00"), to: t("08:50:00"), kind: "footage", codecs: "avc1.64001f" },
    { from: t("08:50:00"), to: t("09:00:00"), kind: "gap", cause: "future" },
  ],
};

test("footage of two runs that touch is one bar, and a gap keeps its cause", () => {
  const spans = spansOf(answer);
  assert.equal(spans.length, 4);
  assert.deepEqual(spanAt(spans, ms("08:20:00")), { kind: "gap", from: ms("08:20:00"), to: ms("08:25:00"), cause: "camera-away", detail: "connection refused" });
});

test("a span holds its start and not its end, and there is none outside", () => {
  const spans = spansOf(answer);
  assert.equal(spanAt(spans, ms("08:25:00"))?.kind, "footage");
  assert.equal(spanAt(spans, ms("08:00:00") - 1), undefined);
  assert.equal(spanAt(spans, ms("09:00:00")), undefined);
});

test("from a gap the next footage is found, and none after the last", () => {
  const spans = spansOf(answer);
  assert.equal(footageFrom(spans, ms("08:22:00"))?.from, ms("08:25:00"));
  assert.equal(footageFrom(spans, ms("08:55:00")), undefined);
});

test("the length of footage counts the part inside only", () => {
  assert.equal(footageLength(spansOf(answer), ms("08:10:00"), ms("08:30:00")), 15 * 60_000);
});

test("the future is a gap of the timeline but not one to tell of", () => {
  assert.deepEqual(toldGaps(spansOf(answer)).map((g) => g.cause), ["camera-away"]);
});

test("codecs are told once each, of footage in the span only", () => {
  assert.deepEqual(codecsBetween(spansOf(answer), ms("08:00:00"), ms("09:00:00")), ["avc1.64001f"]);
  assert.deepEqual(codecsBetween(spansOf(answer), ms("08:21:00"), ms("08:24:00")), []);
});

test("a bucket counts as what most of it is, and the last one ends with the answer", () => {
  const coarse: TimelineAnswer = {
    ...answer, resolution_s: 3600, to: t("09:30:00"), spans: [],
    buckets: [
      { from: t("08:00:00"), footage_s: 3000, gap_s: 600, cause: "camera-away" },
      { from: t("09:00:00"), footage_s: 0, gap_s: 1800, cause: "deleted" },
    ],
  };
  assert.deepEqual(spansOf(coarse).map((s) => [s.kind, s.to]), [["footage", ms("09:00:00")], ["gap", ms("09:30:00")]]);
});

test("bars stand where their times are, and a short gap is still seen", () => {
  const hour = { from: ms("08:00:00"), to: ms("09:00:00") };
  const placed = bars(spansOf(answer), hour, 600);
  assert.deepEqual(placed.map((b) => [b.span.kind, b.x, b.width]), [["footage", 0, 200], ["footage", 250, 250], ["gap", 200, 50], ["gap", 500, 100]]);
  const short = bars([{ kind: "gap", from: hour.from, to: hour.from + 1000, cause: "unknown", detail: "" }], hour, 600);
  assert.equal(short[0]!.width, THINNEST_GAP_PX);
});

test("the ruler's labels are round, in order and far enough apart to be read", () => {
  for (const [from, to] of [["00:00:00", "23:59:59"], ["08:00:00", "08:10:00"], ["08:00:00", "08:00:20"]] as const) {
    const labelled = ticks({ from: ms(from), to: ms(to) }, 1000, "utc").filter((tick) => tick.label);
    assert.ok(labelled.length >= 3, `${labelled.length} labels`);
    for (let n = 1; n < labelled.length; n++) assert.ok(labelled[n]!.x - labelled[n - 1]!.x >= 60);
  }
});
