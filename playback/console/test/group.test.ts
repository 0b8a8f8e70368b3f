import assert from "node:assert/strict";
import { test } from "node:test";
import { correction, mediaOf, nextFootage } from "../src/group.ts";
import { formatRoute, parseRoute } from "../src/route.ts";

const LENS = [
  { from: 1000, to: 5000, media: 0 },
  { from: 9000, to: 12000, media: 4 },
];

test("a moment lies in the stretch that holds it, and in a gap nowhere", () => {
  assert.equal(mediaOf(LENS, 1000), 0);
  assert.equal(mediaOf(LENS, 4500), 3.5);
  assert.equal(mediaOf(LENS, 5000), undefined);
  assert.equal(mediaOf(LENS, 10000), 5);
});

test("the clock goes over a stretch in which nobody has footage, and stands still for nobody", () => {
  const yard = [{ from: 2000, to: 6000, media: 0 }];
  assert.equal(nextFootage([LENS, yard], 500), 1000);
  assert.equal(nextFootage([LENS, yard], 5500), 5500);
  assert.equal(nextFootage([LENS, yard], 6500), 9000);
  assert.equal(nextFootage([LENS, yard], 12000), undefined);
});

test("a player in step is left alone, one near is hurried or slowed, one far jumps", () => {
  assert.deepEqual(correction(5, 5.01, 1), { jump: false, rate: 1 });
  assert.ok(Math.abs(correction(5, 5.2, 1).rate - 1.2) < 1e-9);
  assert.ok(Math.abs(correction(5.2, 5, 1).rate - 0.8) < 1e-9);
  assert.equal(correction(5, 9, 1).jump, true);
});

test("the address of a group is read as it is written", () => {
  const route = { camera: "a/b", group: ["a/b", "c,d"], at: Date.parse("2026-01-31T08:00:00.000Z") };
  assert.deepEqual(parseRoute(formatRoute(route)), route);
  assert.equal(parseRoute("#/camera/gate")?.group, undefined);
});
