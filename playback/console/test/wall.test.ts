/** Media time to wall time: two runs of 10 s with a gap of an hour between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mediaAt, wallAt, wallEnd, type Entry } from "../src/wall.ts";
import { formatRoute, parseRoute } from "../src/route.ts";
import { faster, slower } from "../src/speeds.ts";

const start = Date.parse("2026-01-31T08:00:00Z");
const later = start + 3_600_000;
const entries: Entry[] = [...Array(10).keys()].map((n) => ({
  start: n * 2, duration: 2, wall: n < 5 ? start + n * 2000 : later + (n - 5) * 2000,
}));

test("the wall clock jumps over a gap that media time does not have", () => {
  assert.equal(wallAt(entries, 9.96), start + 9960);
  assert.equal(wallAt(entries, 10), later);
  assert.equal(wallAt(entries, 12.5), later + 2500);
});

test("every moment with footage leads to its media time and back", () => {
  for (let frame = 0; frame < 500; frame++) {
    const media = frame / 25;
    const wall = wallAt(entries, media)!;
    assert.ok(Math.abs(mediaAt(entries, wall)! - media) < 0.003);
  }
});

test("a moment in a gap leads to the first picture after it", () => {
  assert.equal(mediaAt(entries, start + 60_000), 10);
});

test("a moment past the end or well before the start leads nowhere", () => {
  assert.equal(mediaAt(entries, later + 10_000), undefined);
  assert.equal(mediaAt(entries, start - 60_000), undefined);
  assert.equal(mediaAt([], start), undefined);
  assert.equal(wallEnd(entries), later + 10_000);
});

test("an address holds camera and moment to the millisecond, and ids with odd characters survive", () => {
  const route = { camera: "a/b 门", at: start + 40 };
  assert.deepEqual(parseRoute(formatRoute(route)), route);
  assert.deepEqual(parseRoute("#/camera/gate/at/nonsense"), { camera: "gate" });
  assert.equal(parseRoute("#/camera/%E0%A4%A"), null);
  assert.equal(parseRoute(""), null);
});

test("speed goes up and down by steps and stops at both ends", () => {
  assert.deepEqual([faster(1), faster(4), faster(16), slower(16), slower(1)], [2, 8, 16, 8, 1]);
});
