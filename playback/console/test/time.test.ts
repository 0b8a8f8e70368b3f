/** Civil time, against dates worked out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clockText, dateText, dayStart, HOUR, lengthText, parseDate, zoneText } from "../src/time.ts";

const at = Date.parse("2026-03-29T08:05:09.040Z");

test("a clock shows milliseconds and rounds fractions of one to the nearest", () => {
  assert.equal(clockText(at, "utc"), "08:05:09.040");
  assert.equal(clockText(at + 0.6, "utc"), "08:05:09.041");
});

test("days of 23 and of 25 hours begin and end at their own midnights", () => {
  process.env["TZ"] = "Europe/Berlin";
  assert.equal(dayStart(at, "local", 1) - dayStart(at, "local"), 23 * HOUR);
  const autumn = Date.parse("2026-10-25T12:00:00Z");
  assert.equal(dayStart(autumn, "local", 1) - dayStart(autumn, "local"), 25 * HOUR);
  assert.equal(zoneText(at, "local"), "UTC+02:00");
});

test("the local day of a moment is not its UTC day east of Greenwich", () => {
  process.env["TZ"] = "Asia/Shanghai";
  const late = Date.parse("2026-01-31T20:00:00Z");
  assert.equal(dateText(late, "utc"), "2026-01-31");
  assert.equal(dateText(late, "local"), "2026-02-01");
  assert.equal(parseDate("2026-02-01", "local"), Date.parse("2026-01-31T16:00:00Z"));
});

test("a date that does not exist is refused", () => {
  assert.equal(parseDate("2026-02-30", "utc"), null);
  assert.equal(parseDate("yesterday", "utc"), null);
});

test("a length shows its two largest units", () => {
  assert.equal(lengthText(86_280_000), "23 h 58 min");
  assert.equal(lengthText(250_000), "4 min 10 s");
  assert.equal(lengthText(3_600_000), "1 h");
  assert.equal(lengthText(400), "0.4 s");
});
