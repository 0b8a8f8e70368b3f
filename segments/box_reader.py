"""Reading MP4 boxes that we wrote: the tracks of a moov, the samples of a moof.

Files may be torn, damaged or hostile: whatever does not fit raises DataDamaged, and no count is believed before its bytes are there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from segments.boxes import SYNC_SAMPLE
from segments.errors import DataDamaged
from segments.media import TIMESCALE, AudioTrack, Codec, Track, VideoTrack
from segments.parameter_sets import audio_track, video_track

Data = bytes | bytearray | memoryview | mmap
"""Where boxes are read from."""

MAX_TRACKS = 8
"""Most tracks of a file."""

_NOT_SYNC = 0x1_0000
_DATA_OFFSET, _DURATIONS, _SIZES, _FLAGS, _COMPOSITION = 0x1, 0x100, 0x200, 0x400, 0x800
_VISUAL_FIELDS_BYTES = 78
_AUDIO_FIELDS_BYTES = 28


class BoxAt(NamedTuple):
    """A box found in the data: its type and where it, its content and what follows it begin."""

    kind: bytes
    start: int
    content: int
    end: int


class TrackFragment(NamedTuple):
    """The samples of one track in one fragment.

    `track` is its index, `dts` the first decode time, `position` where its first sample lies in the file; the others follow back to back.
    `durations` and `offsets` (presentation less decode time) are ticks, `keys` says which samples depend on no other.
    """

    track: int
    dts: int
    position: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: tuple[bool, ...]
    offsets: tuple[int, ...]


def box_at(data: Data, start: int, end: int) -> BoxAt:
    """The box at `start`, which must end at or before `end`; sizes of 32 and 64 bits (ISO/IEC 14496-12, 4.2). Raises DataDamaged."""
    if start + 8 > end:
        raise DataDamaged(f"no whole box header at byte {start}")
    size, kind = struct.unpack_from(">I4s", data, start)
    content = start + 8
    if size == 1 and start + 16 <= end:
        (size,) = struct.unpack_from(">Q", data, content)
        content += 8
    if size < content - start or start + size > end:
        raise DataDamaged(f"box {kind!r} at byte {start}: {size} bytes do not fit into {end - start}")
    return BoxAt(kind, start, content, start + size)


def boxes_in(data: Data, start: int, end: int) -> Iterator[BoxAt]:
    """The boxes that fill a range, one behind the other. Raises DataDamaged where they do not."""
    while start < end:
        found = box_at(data, start, end)
        yield found
        start = found.end


def child(data: Data, parent: BoxAt, *path: bytes) -> BoxAt:
    """The first box of this path of types inside `parent`. Raises DataDamaged if there is none."""
    for kind in path:
        found = next((each for each in boxes_in(data, parent.content, parent.end) if each.kind == kind), None)
        if found is None:
            raise DataDamaged(f"box {parent.kind!r} at byte {parent.start} holds no {kind!r}")
        parent = found
    return parent


def _fields(layout: str, data: Data, inside: BoxAt, skip: int = 0) -> tuple[int, ...]:
    """Numbers of a fixed layout from the content of a box."""
    if inside.content + skip + struct.calcsize(layout) > inside.end:
        raise DataDamaged(f"box {inside.kind!r} at byte {inside.start} is too short")
    return struct.unpack_from(layout, data, inside.content + skip)


# --- moov ------------------------------------------------------------------------------------------------------------


def read_init(data: Data) -> tuple[tuple[Track, ...], int]:
    """The tracks of the ftyp + moov that the data begins with, and where these end.

    Raises DataDamaged for anything `init_segment` does not write.
    """
    file_type = box_at(data, 0, len(data))
    movie = box_at(data, file_type.end, len(data))
    if (file_type.kind, movie.kind) != (b"ftyp", b"moov"):
        raise DataDamaged(f"the file begins with {file_type.kind!r}, {movie.kind!r}, expected ftyp, moov")
    traks = [found for found in boxes_in(data, movie.content, movie.end) if found.kind == b"trak"]
    if not 1 <= len(traks) <= MAX_TRACKS:
        raise DataDamaged(f"a moov of {len(traks)} tracks, expected 1 to {MAX_TRACKS}")
    return tuple(_read_trak(data, found, index) for index, found in enumerate(traks)), movie.end


def _read_trak(data: Data, trak: BoxAt, index: int) -> Track:
    (track_id,) = _fields(">20xI", data, child(data, trak, b"tkhd"))
    (timescale,) = _fields(">20xI", data, child(data, trak, b"mdia", b"mdhd"))
    if (track_id, timescale) != (index + 1, TIMESCALE):
        raise DataDamaged(f"track {track_id} with timescale {timescale}, expected track {index + 1} with {TIMESCALE}")
    description = child(data, trak, b"mdia", b"minf", b"stbl", b"stsd")
    entry = box_at(data, description.content + 8, description.end)
    if entry.kind == b"avc1":
        return _read_sets(Codec.H264, _config(data, entry, b"avcC", _VISUAL_FIELDS_BYTES))
    if entry.kind == b"hvc1":
        return _read_sets(Codec.H265, _config(data, entry, b"hvcC", _VISUAL_FIELDS_BYTES))
    if entry.kind == b"mp4a":
        return _read_es_descriptor(_config(data, entry, b"esds", _AUDIO_FIELDS_BYTES))
    raise DataDamaged(f"track {track_id}: sample entry {entry.kind!r}, expected avc1, hvc1 or mp4a")


def _config(data: Data, entry: BoxAt, kind: bytes, fields_bytes: int) -> bytes:
    """The content of a sample entry's configuration box."""
    found = child(data, entry._replace(content=entry.content + fields_bytes), kind)
    return bytes(data[found.content : found.end])


def _read_sets(codec: Codec, record: bytes) -> VideoTrack:
    """The parameter sets of an avcC or hvcC record (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1)."""
    units: list[bytes] = []
    try:
        at, arrays = (5, 2) if codec is Codec.H264 else (23, record[22])
        for index in range(arrays):
            if codec is Codec.H264:
                count, at = record[at] & (0x1F if index == 0 else 0xFF), at + 1
            else:
                count, at = int.from_bytes(record[at + 1 : at + 3]), at + 3
            for _ in range(count):
                (size,) = struct.unpack_from(">H", record, at)
                units.append(record[at + 2 : at + 2 + size])
                at += 2 + size
    except (IndexError, struct.error):
        raise DataDamaged(f"{codec} decoder configuration of {len(record)} bytes ends too soon") from None
    return video_track(codec, units)


def _read_es_descriptor(content: bytes) -> AudioTrack:
    """The AudioSpecificConfig of an esds box: descriptors 3, 4, 5, each inside the one before (ISO/IEC 14496-1, 7.2.6.5)."""
    inside = content[4:]
    for tag, fields_bytes in ((3, 3), (4, 13), (5, 0)):
        if len(inside) < 5 or inside[0] != tag:
            raise DataDamaged(f"esds without descriptor {tag}")
        size = 0
        for byte in inside[1:5]:
            size = size << 7 | byte & 0x7F
        inside = inside[5 + fields_bytes : 5 + size]
    return audio_track(inside)


# --- moof ------------------------------------------------------------------------------------------------------------


def read_moof(data: Data, moof: BoxAt) -> tuple[TrackFragment, ...]:
    """The samples a moof tells of, by track. The samples themselves need not be there.

    Raises DataDamaged for anything a fragment of ours does not have (base is the moof, one trun a track, each with durations and sizes).
    """
    trafs = [found for found in boxes_in(data, moof.content, moof.end) if found.kind == b"traf"]
    if not 1 <= len(trafs) <= MAX_TRACKS:
        raise DataDamaged(f"moof at byte {moof.start} with {len(trafs)} tracks, expected 1 to {MAX_TRACKS}")
    return tuple(_read_traf(data, moof, traf) for traf in trafs)


def _read_traf(data: Data, moof: BoxAt, traf: BoxAt) -> TrackFragment:
    base_flags, track_id = _fields(">II", data, child(data, traf, b"tfhd"))
    version, dts = _fields(">IQ", data, child(data, traf, b"tfdt"))
    trun = child(data, traf, b"trun")
    flags, count, data_offset = _fields(">IIi", data, trun)
    per_sample = [flag for flag in (_DURATIONS, _SIZES, _FLAGS, _COMPOSITION) if flags & flag]
    wanted = 1 << 24 | _DATA_OFFSET | _DURATIONS | _SIZES
    if base_flags != 0x2_0000 or version != 1 << 24 or flags & ~(_FLAGS | _COMPOSITION) != wanted:
        raise DataDamaged(f"traf at byte {traf.start} is laid out in a way we do not write")
    if count == 0 or trun.end - trun.content != 12 + 4 * count * len(per_sample) or not 1 <= track_id <= MAX_TRACKS:
        raise DataDamaged(f"traf at byte {traf.start}: {count} samples of track {track_id} do not fit its size")
    values = struct.unpack_from(f">{count * len(per_sample)}i", data, trun.content + 12)
    columns = {flag: values[i :: len(per_sample)] for i, flag in enumerate(per_sample)}
    if min(columns[_DURATIONS]) < 0 or min(columns[_SIZES]) < 0:
        raise DataDamaged(f"traf at byte {traf.start} with a duration or a size over 2^31")
    sample_flags = columns.get(_FLAGS, (SYNC_SAMPLE,) * count)
    return TrackFragment(
        track_id - 1,
        dts,
        moof.start + data_offset,
        columns[_DURATIONS],
        columns[_SIZES],
        tuple(not each & _NOT_SYNC for each in sample_flags),
        columns.get(_COMPOSITION, (0,) * count),
    )
