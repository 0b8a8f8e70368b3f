"""One running demo camera: draws, encodes and hands out access units, by the wall clock, while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from deploy.demo_cameras.cameras import DemoCamera
from deploy.demo_cameras.encoder import SOUND_RATE_HZ, SOUND_SAMPLES, PictureEncoder, TickEncoder
from deploy.demo_cameras.pictures import Pictures
from deploy.demo_cameras.rtp import PAYLOADS, aac_payload
from segments.clock import US_PER_S, Clock
from segments.media import TIMESCALE, Codec
from segments.parameter_sets import kind_of

VIDEO, SOUND = "video", "sound"
"""The tracks, as their URLs call them."""

_SOUND_BEHIND = 2 * SOUND_RATE_HZ
"""Samples that the sound may fall behind before it leaves some out."""


class Unit(NamedTuple):
    """One coded picture or piece of sound, in RTP payloads. `stamp` counts the track's own ticks since 1970, so all tracks agree."""

    track: str
    key: bool
    at_us: int
    stamp: int
    payloads: list[bytes]


@dataclass(frozen=True, slots=True)
class Tracks:
    """What the description of a camera needs: its parameter sets, and its AudioSpecificConfig (empty: no sound)."""

    parameter_sets: tuple[bytes, ...]
    sound_config: bytes


Reader = Callable[[Unit], None]


class LiveCamera:
    """A camera whose every reader gets the same units. It encodes only while it has readers, and begins with a key frame then."""

    def __init__(self, camera: DemoCamera, clock: Clock) -> None:
        self.camera = camera
        self.tracks = _tracks(camera)
        self._clock = clock
        self._pictures = Pictures(camera)
        self._readers: set[Reader] = set()
        self._watched = asyncio.Event()
        self._number = 0

    def join(self, reader: Reader) -> None:
        """Hands units to a reader from now on; a silent camera never does."""
        if not self.camera.silent:
            self._readers.add(reader)
            self._watched.set()

    def leave(self, reader: Reader) -> None:
        """No more for this reader; fine if it has none."""
        self._readers.discard(reader)
        if not self._readers:
            self._watched.clear()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._watched.wait()
            await self._film()

    async def _film(self) -> None:
        """Pictures on a grid of 1/fps of the wall clock until nobody looks; those it is more than a second late for are left out."""
        per_s = self.camera.frames_per_s
        encoder = PictureEncoder(self.camera)
        sound = TickEncoder(self._clock.now_us() * SOUND_RATE_HZ // US_PER_S) if self.camera.sound else None
        place = self._clock.now_us() * per_s // US_PER_S
        while self._readers:
            now_us = self._clock.now_us()
            reached = now_us * per_s // US_PER_S
            if reached <= place:
                wait_us = (reached + 1) * US_PER_S // per_s + 1 - now_us
                await self._clock.sleep(wait_us / US_PER_S)
                continue
            place = max(place + 1, reached - per_s)
            self._hand_out(self._picture(encoder, place))
            if sound is not None:
                self._sound(sound, now_us)
            await self._clock.sleep(0)

    def _picture(self, encoder: PictureEncoder, place: int) -> Unit:
        at_us = place * US_PER_S // self.camera.frames_per_s
        coded = encoder.encode(self._pictures.at(at_us, self._number))
        self._number += 1
        stamp = place * (TIMESCALE // self.camera.frames_per_s)
        return Unit(VIDEO, coded.key, at_us, stamp, PAYLOADS[self.camera.codec](coded.units))

    def _sound(self, encoder: TickEncoder, now_us: int) -> None:
        now = now_us * SOUND_RATE_HZ // US_PER_S
        encoder.next_sample = max(encoder.next_sample, now - _SOUND_BEHIND)
        while encoder.next_sample + SOUND_SAMPLES <= now:
            for sample, frame in encoder.encode():
                at_us = sample * US_PER_S // SOUND_RATE_HZ
                self._hand_out(Unit(SOUND, key=True, at_us=at_us, stamp=sample, payloads=[aac_payload(frame)]))

    def _hand_out(self, unit: Unit) -> None:
        for reader in tuple(self._readers):
            reader(unit)


def _tracks(camera: DemoCamera) -> Tracks:
    """Encodes one picture to learn the parameter sets: those of every later encoder are the same."""
    first = PictureEncoder(camera).encode(Pictures(camera).at(0, 0))
    sets = [unit for unit in first.units if _is_set(unit, camera.codec)]
    return Tracks(tuple(sets), TickEncoder(0).config if camera.sound else b"")


def _is_set(unit: bytes, codec: Codec) -> bool:
    return kind_of(codec, unit) in ((7, 8) if codec is Codec.H264 else (32, 33, 34))
