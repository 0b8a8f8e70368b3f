"""Clips encoded by the tests themselves: each picture carries its number as squares, and each clip can be read back as access units.

The squares lie in one row, 16 by 16 pixels each, from (16, 16): one white guard, 16 bits (highest first, white is 1), one black guard.
Around them is a black border of 16 pixels. A reader in a browser looks at the middle of each square: x = 16 * i + 24, y = 24, i = 0 .. 17.
"""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from segments.media import TIMESCALE, AccessUnit, AudioTrack, Codec, Track, VideoTrack
from segments.parameter_sets import video_track

SQUARE_PX = 16
NUMBER_BITS = 16
_BLACK, _WHITE = 16, 235  # the limits of video range luma (ITU-R BT.709)
_ENCODERS = {"h264": "libx264", "h265": "libx265"}
_SOUND_RATES_HZ = {"aac": 48_000, "pcm_alaw": 8_000, "pcm_mulaw": 8_000}


@dataclass(frozen=True, slots=True)
class Clip:
    """What a clip is like. `bitrate` (bit/s) is kept on the average; `noise` fills each picture with enough to need it.

    Sound is a 440 Hz tone in one channel, AAC at 48 kHz or G.711 at 8 kHz (the latter wants a .mov file).
    """

    codec: str = "h264"
    seconds: float = 4.0
    fps: int = 25
    width: int = 640
    height: int = 360
    gop_frames: int = 25
    b_frames: int = 0
    audio: str | None = None
    bitrate: int | None = None
    noise: bool = False


LOAD = Clip(seconds=30, width=1920, height=1080, gop_frames=50, bitrate=4_000_000, noise=True)
"""What load tests send: 1080p25 at 4 Mbit/s with a key frame each 2 s."""


class Clips:
    """Clips of one session, each encoded once; several processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, suffix: str = ".mp4", clip: Clip | None = None, **options: object) -> Path:
        """The file of a clip given as a value or by its fields (`clips.get(codec="h265", seconds=2)`)."""
        wanted = clip or Clip(**options)
        path = self._folder / ("-".join(str(field) for field in astuple(wanted)) + suffix)
        if not path.exists():
            draft = path.with_name(f"{os.getpid()}-{path.name}")
            encode(draft, wanted)
            draft.replace(path)
        return path


def encode_clip(path: Path, **options: object) -> None:
    """Encodes a clip given by the fields of `Clip`; the suffix of the path chooses the container."""
    encode(path, Clip(**options))


def encode(path: Path, clip: Clip) -> None:
    """Encodes a clip; the suffix of the path chooses the container."""
    if clip.width < (NUMBER_BITS + 4) * SQUARE_PX or clip.height < 4 * SQUARE_PX:
        raise ValueError("the frame number needs a picture of at least 320x64")
    with av.open(path, "w") as container:
        picture = _add_picture(container, clip)
        sound = container.add_stream(clip.audio, rate=_SOUND_RATES_HZ[clip.audio], layout="mono") if clip.audio else None
        for number in range(round(clip.seconds * clip.fps)):
            frame = av.VideoFrame.from_ndarray(_draw(clip, number), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, clip.fps)
            container.mux(picture.encode(frame))
            if sound:
                container.mux(sound.encode(_tone(clip, number)))
        container.mux(picture.encode())
        if sound:
            container.mux(sound.encode())


def _add_picture(container, clip: Clip):
    options = {"preset": "ultrafast", "forced-idr": "1"}
    if not clip.b_frames:
        options["tune"] = "zerolatency"
    if clip.codec == "h264":
        options["x264-params"] = "scenecut=0:open-gop=0"
    else:
        options["x265-params"] = f"log-level=none:scenecut=0:open-gop=0:min-keyint={clip.gop_frames}:b-adapt=0"
    stream = container.add_stream(_ENCODERS[clip.codec], rate=clip.fps, options=options)
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
    context = stream.codec_context
    context.gop_size, context.max_b_frames, context.thread_count = clip.gop_frames, clip.b_frames, 1
    context.time_base = Fraction(1, clip.fps)
    if clip.codec == "h265":
        context.codec_tag = "hvc1"
    if clip.bitrate:
        context.bit_rate = clip.bitrate
    return stream


def _draw(clip: Clip, number: int) -> np.ndarray:
    """Luma and chroma of a picture in the yuv420p layout: a slope, a moving block, the number."""
    picture = np.full((clip.height * 3 // 2, clip.width), 128, np.uint8)
    luma = picture[: clip.height]
    luma[:] = np.linspace(40, 200, clip.width, dtype=np.uint8)
    if clip.noise:
        _sprinkle(luma, number)
    side = clip.height // 5
    x, y = number * 4 % (clip.width - side), 64 + number % max(1, clip.height - 64 - side)
    luma[y : y + side, x : x + side] = 220 if number % 2 else 60
    _draw_number(luma, number)
    return picture


def _sprinkle(luma: np.ndarray, number: int) -> None:
    """Noise that no encoder can foresee, over a seventh of the picture."""
    height = luma.shape[0]
    rows = slice(height // 2, height // 2 + height // 7)
    luma[rows] = np.random.default_rng(number).integers(60, 200, luma[rows].shape, np.uint8)


def _draw_number(luma: np.ndarray, number: int) -> None:
    bits = [1, *(number >> bit & 1 for bit in reversed(range(NUMBER_BITS))), 0]
    luma[: 3 * SQUARE_PX, : (len(bits) + 2) * SQUARE_PX] = _BLACK
    for i, bit in enumerate(bits, start=1):
        luma[SQUARE_PX : 2 * SQUARE_PX, i * SQUARE_PX : (i + 1) * SQUARE_PX] = _WHITE if bit else _BLACK


def read_frame_number(picture: np.ndarray) -> int:
    """The number in a decoded picture (gray, or RGB with the colours last) of the size it was encoded in.

    Raises ValueError if the guards are not there: another picture, or one too damaged to be trusted.
    """
    gray = picture if picture.ndim == 2 else picture[..., :3].mean(axis=2)
    middle = slice(SQUARE_PX + 4, 2 * SQUARE_PX - 4)
    squares = [gray[middle, i * SQUARE_PX + 4 : (i + 1) * SQUARE_PX - 4].mean() for i in range(1, NUMBER_BITS + 3)]
    if squares[0] < 160 or squares[-1] > 96:
        raise ValueError(f"no frame number in this picture: its guards are {squares[0]:.0f} and {squares[-1]:.0f}")
    return sum(int(square > 128) << bit for bit, square in zip(reversed(range(NUMBER_BITS)), squares[1:-1], strict=True))


def frame_numbers(path: Path | str) -> list[int]:
    """The numbers of all pictures of a file in the order they are shown, decoded by libav."""
    with av.open(path) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def _tone(clip: Clip, number: int) -> av.AudioFrame:
    """A 440 Hz tone in the encoder's format, as long as one picture."""
    rate_hz = _SOUND_RATES_HZ[clip.audio]
    start, end = (round(n * rate_hz / clip.fps) for n in (number, number + 1))
    wave = (np.sin(2 * np.pi * 440 / rate_hz * np.arange(start, end)) * 8_000).astype(np.int16)
    if clip.audio == "aac":
        frame = av.AudioFrame.from_ndarray((wave / 32_768).astype(np.float32)[np.newaxis], format="fltp", layout="mono")
    else:
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
    return frame


# --- reading back ------------------------------------------------------------------------------------------------------


class ClipPacket(NamedTuple):
    """One packet of a file as libav reads it; times are ticks, None where the container has none."""

    kind: str
    pts: int | None
    dts: int | None
    key: bool
    data: bytes


def packets(path: Path | str) -> list[ClipPacket]:
    """All packets of a file in its order, their bytes as they are stored."""
    with av.open(path) as container:
        return [
            ClipPacket(packet.stream.type, _ticks(packet.pts, packet), _ticks(packet.dts, packet), packet.is_keyframe, bytes(packet))
            for packet in container.demux()
            if packet.size
        ]


def access_units(path: Path | str) -> tuple[list[Track], list[AccessUnit]]:
    """Tracks and access units of an MP4, in the order of the file, as segments/media.py says; the earliest time becomes 0.

    H.264 gets its parameter sets in front of each key frame, H.265 has none in its samples. Only H.264, H.265 and AAC are read.
    """
    with av.open(path) as container:
        streams = [*container.streams.video, *container.streams.audio]
        tracks = [_track(stream) for stream in streams]
        read = [packet for packet in container.demux(streams) if packet.size]
        first = min(_ticks(packet.dts, packet) for packet in read)
        return tracks, [_unit(packet, streams.index(packet.stream), tracks, first) for packet in read]


def _unit(packet: av.Packet, index: int, tracks: list[Track], first: int) -> AccessUnit:
    track, data = tracks[index], bytes(packet)
    if track.codec is Codec.H264 and packet.is_keyframe:
        data = b"".join(_with_length(unit) for unit in track.parameter_sets) + data
    pts, dts = _ticks(packet.pts, packet) - first, _ticks(packet.dts, packet) - first
    return AccessUnit(index, pts, dts, packet.is_keyframe or not track.is_video, data)


def _ticks(time: int | None, packet: av.Packet) -> int | None:
    return None if time is None else round(time * packet.time_base * TIMESCALE)


def _with_length(unit: bytes) -> bytes:
    return len(unit).to_bytes(4, "big") + unit


def _track(stream: av.VideoStream | av.AudioStream) -> VideoTrack | AudioTrack:
    context = stream.codec_context
    if stream.type == "audio":
        return AudioTrack(context.sample_rate, context.channels, bytes(context.extradata))
    if context.name == "hevc":
        return video_track(Codec.H265, _hvcc_units(context.extradata))
    return video_track(Codec.H264, _avcc_units(context.extradata))


def _avcc_units(box: bytes) -> list[bytes]:
    """Parameter sets of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    units, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = box[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(box[at : at + 2], "big")
            units.append(box[at + 2 : at + 2 + size])
            at += 2 + size
    return units


def _hvcc_units(box: bytes) -> list[bytes]:
    """Parameter sets of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1), SEI left out."""
    units, at = [], 23
    for _ in range(box[22]):
        kind, count, at = box[at] & 0x3F, int.from_bytes(box[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(box[at : at + 2], "big")
            if kind in (32, 33, 34):
                units.append(box[at + 2 : at + 2 + size])
            at += 2 + size
    return units
