"""One picture out of stored footage as JPEG: no demuxer, the samples go straight from their fragment into a decoder.

The only module of playback that meets libav. It runs in a few threads of its own, with a limit on what waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction as Ratio
from itertools import accumulate
from typing import NamedTuple, TypeVar, cast

import av
from av.error import FFmpegError

from segments.box_reader import box_at, read_init, read_moof
from segments.boxes import decoder_config
from segments.errors import DataDamaged, TryAgain
from segments.media import TIMESCALE, Codec, VideoTrack

T = TypeVar("T")

THREADS = 2
WAITING = 32
"""How many snapshots may wait for a thread; one more is TryAgain."""

MAX_PIXELS = 8192 * 8192
"""Largest picture that is decoded."""

_DECODERS = {Codec.H264: "h264", Codec.H265: "hevc"}
_QUALITY = 4 * 118
"""Quantizer 4 of MJPEG in libav's unit (FF_QP2LAMBDA): no difference is seen, at about a third of the bytes of the best."""


class CodedPicture(NamedTuple):
    """One video sample and its presentation time in the run, in ticks."""

    pts: int
    data: bytes


class Snapshot(NamedTuple):
    """A JPEG, and the presentation time in the run of the picture in it, in ticks."""

    jpeg: bytes
    pts: int


def libav_versions() -> dict[str, str]:
    """Which libav decodes here, by library."""
    return {name: ".".join(map(str, number)) for name, number in av.library_versions.items() if name in ("libavformat", "libavcodec")}


class Decoding:
    """The threads in which pictures are decoded."""

    def __init__(self, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, "snapshot")
        self._room = threads + waiting

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns; raises TryAgain at once if too much waits already."""
        if self._room <= 0:
            raise TryAgain("more snapshots are asked for than can be decoded: ask again in a moment")
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._room += 1

    def close(self) -> None:
        """Lets go of the threads; what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def video_track(init: bytes) -> VideoTrack:
    """The picture track of a run's init segment; raises DataDamaged."""
    tracks, _ = read_init(init)
    if not isinstance(tracks[0], VideoTrack):
        raise DataDamaged("the run has no picture")
    return tracks[0]


def key_picture(data: bytes) -> CodedPicture:
    """The key frame out of the first bytes of a fragment, up to the end of that frame (`Fragment.key_length`)."""
    return next(_pictures(data, 0))


def all_pictures(data: bytes) -> Iterator[CodedPicture]:
    """The pictures of fragments that lie back to back, in order of decoding."""
    start = 0
    while start < len(data):
        yield from _pictures(data, start)
        moof = box_at(data, start, len(data))
        start = box_at(data, moof.end, len(data)).end


def _pictures(data: bytes, start: int) -> Iterator[CodedPicture]:
    moof = box_at(data, start, len(data))
    part = read_moof(data, moof)[0]
    if part.track != 0:
        return
    decode_times = accumulate(part.durations, initial=part.dts)
    ends = accumulate(part.sizes, initial=part.position)
    for dts, offset, at, size in zip(decode_times, part.offsets, ends, part.sizes, strict=False):
        if at + size > len(data):
            raise DataDamaged(f"a picture of {size} bytes at {at} does not lie in the {len(data)} bytes of its fragment")
        yield CodedPicture(dts + offset, data[at : at + size])


def snapshot(track: VideoTrack, pictures: Iterable[CodedPicture], *, until: int, width: int | None) -> Snapshot:
    """Decodes pictures, the first a key frame, and makes a JPEG of the last one shown at or before `until` (ticks), or else of the first.

    No wider than `width`, and never enlarged. Raises DataDamaged for what cannot be decoded.
    """
    try:
        frame = _last_until(track, pictures, until)
        return Snapshot(_jpeg(frame, width), frame.pts or 0)
    except FFmpegError as error:
        raise DataDamaged(f"the picture cannot be decoded: {error.strerror}") from None


def _last_until(track: VideoTrack, pictures: Iterable[CodedPicture], until: int) -> av.VideoFrame:
    chosen: av.VideoFrame | None = None
    for frame in _frames(track, pictures):
        if chosen is not None and (frame.pts or 0) > until:
            break
        chosen = frame
    if chosen is None:
        raise DataDamaged("the key frame gives no picture")
    return chosen


def _frames(track: VideoTrack, pictures: Iterable[CodedPicture]) -> Iterator[av.VideoFrame]:
    decoder = cast("av.VideoCodecContext", av.CodecContext.create(_DECODERS[track.codec], "r"))
    decoder.extradata = decoder_config(track)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    for picture in pictures:
        packet = av.Packet(picture.data)
        packet.pts, packet.time_base = picture.pts, Ratio(1, TIMESCALE)
        yield from decoder.decode(packet)
    yield from decoder.decode(None)


def _jpeg(frame: av.VideoFrame, width: int | None) -> bytes:
    wide = min(width or frame.width, frame.width)
    high = max(1, round(frame.height * wide / frame.width))
    picture = frame.reformat(wide, high, format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = wide, high, "yuvj420p", Ratio(1, TIMESCALE)
    encoder.options = {"flags": "+qscale", "global_quality": str(_QUALITY)}
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
