"""Footage as a demo camera takes it, for tests of what looks at it: encoded by the tests, stored without a recorder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from deploy.demo_cameras.cameras import DemoCamera
from deploy.demo_cameras.encoder import SOUND_RATE_HZ, SOUND_SAMPLES, ticks
from deploy.demo_cameras.pictures import HEIGHT, WIDTH, Pictures
from segments.clock import US_PER_S
from segments.media import Codec
from tests.builders import NOON_US


@dataclass(frozen=True)
class Film:
    """What was filmed from noon on. `drawn_late_us`: the pictures say a later time; `lost`: numbers of pictures that never came."""

    camera: DemoCamera
    seconds: int = 12
    drawn_late_us: int = 0
    lost: frozenset[int] = frozenset()
    mute: bool = False


def shoot(path: Path, film: Film) -> Path:
    """Encodes a film to an MP4, a key frame a second."""
    camera, pictures = film.camera, Pictures(film.camera)
    with av.open(path, "w") as container:
        video = container.add_stream("libx264" if camera.codec is Codec.H264 else "libx265", rate=camera.frames_per_s)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = camera.frames_per_s
        video.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency"} | (
            {"x265-params": "log-level=none"} if camera.codec is Codec.H265 else {}
        )
        if camera.codec is Codec.H265:
            video.codec_context.codec_tag = "hvc1"
        sound = container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono") if camera.sound and not film.mute else None
        numbers = [n for n in range(film.seconds * camera.frames_per_s + len(film.lost)) if n not in film.lost]
        for place, number in enumerate(numbers):
            at_us = NOON_US + place * US_PER_S // camera.frames_per_s
            frame = av.VideoFrame.from_ndarray(pictures.at(at_us + film.drawn_late_us, number), format="yuv420p")
            frame.pts, frame.time_base = place, Fraction(1, camera.frames_per_s)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for piece in range(film.seconds * SOUND_RATE_HZ // SOUND_SAMPLES if sound else 0):
            wave = av.AudioFrame.from_ndarray(ticks(piece * SOUND_SAMPLES)[np.newaxis], format="fltp", layout="mono")
            wave.sample_rate, wave.pts, wave.time_base = SOUND_RATE_HZ, piece * SOUND_SAMPLES, Fraction(1, SOUND_RATE_HZ)
            container.mux(sound.encode(wave))
        if sound:
            container.mux(sound.encode())
    return path
