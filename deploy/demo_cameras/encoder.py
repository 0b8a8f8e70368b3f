"""Encoding for the demo cameras, by PyAV: pictures to H.264 or H.265 NAL units, a tick each second to AAC."""

from __future__ import annotations

import re
from fractions import Fraction
from math import tau
from typing import NamedTuple

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from deploy.demo_cameras.cameras import DemoCamera
from deploy.demo_cameras.pictures import HEIGHT, WIDTH, Plane
from segments.media import Codec

GOP_S = 1
SOUND_RATE_HZ = 16_000
SOUND_SAMPLES = 1024
"""Samples of one AAC frame."""

_SOUND_BIT_S = 32_000
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_OPTIONS = {
    Codec.H264: ("libx264", {"preset": "superfast", "crf": "24", "x264-params": "scenecut=0:open-gop=0"}),
    Codec.H265: (
        "libx265",
        {"preset": "ultrafast", "crf": "26", "x265-params": "log-level=none:info=0:scenecut=0:open-gop=0:pools=none:frame-threads=1"},
    ),
}


class CodedPicture(NamedTuple):
    """The NAL units of one picture, parameter sets in front of each key frame."""

    units: list[bytes]
    key: bool


class PictureEncoder:
    """Encodes the pictures of one camera without delay: each goes in and comes out. The first is a key frame, then one every GOP_S."""

    def __init__(self, camera: DemoCamera) -> None:
        name, options = _OPTIONS[camera.codec]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context.framerate = Fraction(camera.frames_per_s)
        context.time_base = Fraction(1, camera.frames_per_s)
        context.gop_size, context.max_b_frames, context.thread_count = GOP_S * camera.frames_per_s, 0, 1
        context.options = {**options, "tune": "zerolatency"}
        self._context = context
        self._count = 0

    def encode(self, picture: Plane) -> CodedPicture:
        """Encodes the next picture (yuv420p)."""
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, self._count = self._count, self._count + 1
        (packet,) = self._context.encode(frame)
        return CodedPicture([unit for unit in _START_CODE.split(bytes(packet)) if unit], packet.is_keyframe)


class TickEncoder:
    """Makes the sound of a camera: silence with a soft tick at each full second of the wall clock, higher at each tenth."""

    def __init__(self, first_sample: int) -> None:
        """`first_sample` counts samples since 1970."""
        context = av.CodecContext.create("aac", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = SOUND_RATE_HZ, "mono", "fltp"
        context.bit_rate = _SOUND_BIT_S
        context.time_base = Fraction(1, SOUND_RATE_HZ)
        context.open()
        self._context = context
        self._first = first_sample
        self.next_sample = first_sample
        """The sample that the next call of `encode` begins with."""

    @property
    def config(self) -> bytes:
        """The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)."""
        return bytes(self._context.extradata or b"")

    def encode(self) -> list[tuple[int, bytes]]:
        """Encodes the next SOUND_SAMPLES; gives AAC frames with the sample each begins with (the first is the encoder's priming)."""
        wave = ticks(self.next_sample)
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = SOUND_RATE_HZ, Fraction(1, SOUND_RATE_HZ)
        frame.pts = self.next_sample - self._first
        self.next_sample += SOUND_SAMPLES
        return [(self._first + (packet.pts or 0), bytes(packet)) for packet in self._context.encode(frame)]


def ticks(first_sample: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """SOUND_SAMPLES of sound from a sample since 1970 on."""
    samples = np.arange(first_sample, first_sample + SOUND_SAMPLES)
    since_s = samples % SOUND_RATE_HZ / SOUND_RATE_HZ
    pitch_hz = np.where(samples // SOUND_RATE_HZ % 10 == 0, 1318.5, 880.0)
    wave = 0.25 * np.sin(tau * pitch_hz * since_s) * np.exp(-30 * since_s)
    return wave.astype(np.float32)
