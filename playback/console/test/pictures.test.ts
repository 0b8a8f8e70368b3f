/** Picture times, against boxes laid out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pictureTimes, videoTrack } from "../src/fmp4.ts";
import { Pictures } from "../src/pictures.ts";

function u32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  values.forEach((value, i) => new DataView(bytes.buffer).setInt32(i * 4, value | 0));
  return bytes;
}

function box(type: string, ...parts: Uint8Array[]): Uint8Array {
  const size = 8 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = [...u32(size), ...new TextEncoder().encode(type)];
  return Uint8Array.from([...head, ...parts.flatMap((part) => [...part])]);
}

function trak(id: number, handler: number, timescale: number): Uint8Array {
  const mdia = box("mdia", box("mdhd", u32(0, 0, 0, timescale, 0)), box("hdlr", u32(0, 0, handler)));
  return box("trak", box("tkhd", u32(0, 0, 0, id)), mdia);
}

const [VIDEO, SOUND] = [0x76696465, 0x736f756e];
const init = box("moov", trak(1, SOUND, 48_000), trak(2, VIDEO, 90_000));

/** Three pictures of 40 ms from `start` ticks on, decoded 1, 3, 2; with a sound track before them. */
function fragment(start: number): Uint8Array {
  const sound = box("traf", box("tfhd", u32(0x20008, 1, 1024)), box("tfdt", u32(1 << 24, 0, 7)), box("trun", u32(0x1, 2, 0)));
  const samples = u32(3600, 3600, 3600, 10_800, 3600, 3600);
  const video = box("traf", box("tfhd", u32(0x20000, 2)), box("tfdt", u32(1 << 24, 0, start)), box("trun", u32(0x901, 3, 0), samples));
  return box("moof", box("mfhd", u32(0, 1)), sound, video);
}

test("the video track is found behind a sound track", () => {
  assert.deepEqual(videoTrack(init), { id: 2, timescale: 90_000 });
  assert.equal(videoTrack(fragment(0)), null);
});

test("pictures are told in the order they are shown, not decoded", () => {
  assert.deepEqual(pictureTimes(fragment(900_000), { id: 2, timescale: 90_000 }).map((t) => t.toFixed(2)), ["10.04", "10.12", "10.16"]);
});

test("data cut off anywhere gives fewer pictures and never an error", () => {
  const whole = fragment(900_000);
  for (let end = 0; end < whole.length; end++) assert.deepEqual(pictureTimes(whole.slice(0, end), { id: 2, timescale: 90_000 }), []);
});

test("neighbours are found over the border of two fragments, on the player's timeline", () => {
  const pictures = new Pictures();
  pictures.learn({ sn: 0, cc: 0 }, init);
  pictures.shift(0, 10);
  pictures.learn({ sn: 0, cc: 0 }, fragment(900_000));
  pictures.learn({ sn: 1, cc: 0 }, fragment(918_000));
  assert.equal(pictures.of(0)[0]?.toFixed(2), "0.04");
  assert.equal(pictures.neighbour(0, 0.16, 1)?.toFixed(2), "0.24");
  assert.equal(pictures.neighbour(1, 0.24, -1)?.toFixed(2), "0.16");
  assert.equal(pictures.neighbour(0, 0.04, -1), undefined);
});
