/** Amounts of bytes as people read them. */
import assert from "node:assert/strict";
import test from "node:test";
import { bytesText } from "../src/amounts.ts";

test("three digits and a decimal step", () => {
  const said = [0, 999, 1000, 1234, 12_345, 123_456, 999_499, 999_500, 4e14, 1.5e18].map(bytesText);
  assert.deepEqual(said, ["0 B", "999 B", "1 kB", "1.23 kB", "12.3 kB", "123 kB", "999 kB", "1 MB", "400 TB", "1.5 EB"]);
});
