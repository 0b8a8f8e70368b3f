/**
 * When each picture of a fragment is shown: read from moov and moof (ISO/IEC 14496-12, 8.4.2, 8.8.7, 8.8.8, 8.8.12).
 *
 * The player library places fragments by whichever track starts first; the clock of a picture must come from the pictures themselves.
 */

export interface VideoTrack {
  readonly id: number;
  /** Ticks a second. */
  readonly timescale: number;
}

interface Box {
  readonly type: string;
  /** Its payload. */
  readonly view: DataView;
}

function* boxes(view: DataView): Generator<Box> {
  for (let at = 0; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at);
    const long = size === 1 && at + 16 <= view.byteLength;
    const length = long ? Number(view.getBigUint64(at + 8)) : size;
    const head = long ? 16 : 8;
    if (length < head || at + length > view.byteLength) return; // cut off, or not a box
    const type = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5), view.getUint8(at + 6), view.getUint8(at + 7));
    yield { type, view: new DataView(view.buffer, view.byteOffset + at + head, length - head) };
    at += length;
  }
}

function all(view: DataView, ...path: string[]): DataView[] {
  const [type, ...rest] = path;
  const found = [...boxes(view)].filter((box) => box.type === type).map((box) => box.view);
  return rest.length ? found.flatMap((inner) => all(inner, ...rest)) : found;
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

/** The first video track of an init segment; null if the data is none. */
export function videoTrack(data: Uint8Array): VideoTrack | null {
  for (const trak of all(viewOf(data), "moov", "trak")) {
    const [tkhd] = all(trak, "tkhd");
    const [mdhd] = all(trak, "mdia", "mdhd");
    const [hdlr] = all(trak, "mdia", "hdlr");
    if (!tkhd || !mdhd || hdlr?.getUint32(8) !== 0x76696465 /* vide */) continue;
    return { id: tkhd.getUint32(tkhd.getUint8(0) ? 20 : 12), timescale: mdhd.getUint32(mdhd.getUint8(0) ? 20 : 12) };
  }
  return null;
}

/** Presentation times in s of the track's pictures in this data, in order; empty where there are none. */
export function pictureTimes(data: Uint8Array, track: VideoTrack): number[] {
  const ticks: number[] = [];
  for (const traf of all(viewOf(data), "moof", "traf")) {
    const [tfhd] = all(traf, "tfhd");
    const [tfdt] = all(traf, "tfdt");
    if (!tfhd || !tfdt || tfhd.getUint32(4) !== track.id) continue;
    let dts = tfdt.getUint8(0) ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4);
    for (const trun of all(traf, "trun")) dts = readRun(trun, dts, defaultDuration(tfhd), ticks);
  }
  return ticks.sort((a, b) => a - b).map((t) => t / track.timescale);
}

/** The default sample duration of a tfhd; 0 where it has none. */
function defaultDuration(tfhd: DataView): number {
  const flags = tfhd.getUint32(0);
  if (!(flags & 0x8)) return 0;
  return tfhd.getUint32(8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0));
}

/** Adds the presentation ticks of a trun's samples; returns the decode time after its last. */
function readRun(trun: DataView, start: number, duration: number, ticks: number[]): number {
  const flags = trun.getUint32(0);
  const count = trun.getUint32(4);
  let at = 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  let dts = start;
  const field = (bit: number): number => (flags & bit ? (at += 4) - 4 : -1);
  for (let n = 0; n < count && at <= trun.byteLength; n++) {
    const lasts = field(0x100);
    field(0x200);
    field(0x400);
    const offset = field(0x800);
    if (at > trun.byteLength) break;
    ticks.push(dts + (offset < 0 ? 0 : trun.getInt32(offset)));
    dts += lasts < 0 ? duration : trun.getUint32(lasts);
  }
  return dts;
}
