/** The timeline's view: what zoom and pan must keep. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fitted, followed, panned, SHORTEST_MS, toTime, toX, zoomed } from "../src/view.ts";

const day = { from: 0, to: 86_400_000 };

test("zooming in keeps the moment under the pointer where it is", () => {
  const at = 30_000_000;
  const before = toX(day, at, 1000);
  const after = toX(zoomed(day, at, 3, day), at, 1000);
  assert.ok(Math.abs(before - after) < 1e-6);
});

test("zooming out stops at the day and zooming in at the shortest stretch", () => {
  assert.deepEqual(zoomed({ from: 100, to: 90_000 }, 50_000, 1e-9, day), day);
  const close = zoomed(day, 5_000_000, 1e9, day);
  assert.ok(Math.abs(close.to - close.from - SHORTEST_MS) < 1e-6);
});

test("panning keeps the width and stops at the day's ends", () => {
  const view = { from: 1_000_000, to: 4_600_000 };
  assert.deepEqual(panned(view, 500_000, day), { from: 1_500_000, to: 5_100_000 });
  assert.deepEqual(panned(view, -9e9, day), { from: 0, to: 3_600_000 });
  assert.deepEqual(panned(view, 9e9, day), { from: 82_800_000, to: 86_400_000 });
});

test("a place on the screen and its moment are each other's inverse", () => {
  const view = fitted(43_200_000, 3_600_000, day);
  for (const x of [0, 1, 499.5, 1000]) assert.ok(Math.abs(toX(view, toTime(view, x, 1000), 1000) - x) < 1e-6);
});

test("the view follows a cursor that runs out of it, not one that is elsewhere", () => {
  const view = { from: 0, to: 600_000 };
  assert.ok(followed(view, 599_900, 600_100, day).from > 0);
  assert.equal(followed(view, 4_999_900, 5_000_000, day), view);
  assert.equal(followed(view, 299_900, 300_000, day), view);
});
