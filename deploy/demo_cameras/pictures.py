"""The pictures of a demo camera: a calm sky with a moving disc, a readable wall clock, and the same moment as squares a program reads.

The squares lie in one row of 8 by 8 pixels each, from (16, 344), in a black strip: a white guard, 27 bits of the UTC day's milliseconds,
10 bits of the picture's number (modulo 1024), a black guard; highest bits first, white is 1.
"""

from __future__ import annotations

from math import cos, pi, sin, tau
from time import localtime, strftime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.demo_cameras.cameras import DemoCamera
from deploy.demo_cameras.font import ADVANCE, ROWS, Cover, letter
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import DataDamaged

WIDTH, HEIGHT = 640, 360
SQUARE_PX = 8
SQUARES_X, SQUARES_Y = 16, 344
MS_BITS, NUMBER_BITS = 27, 10
NUMBERS = 1 << NUMBER_BITS
"""Picture numbers count modulo this."""

_BLACK, _WHITE = 16, 235  # the limits of video range luma (ITU-R BT.709)
_STRIP_Y = 336
_DISC_PX = 44
_ROUND_S = 24
"""The disc's way around."""

Plane = NDArray[np.uint8]


class Mark(NamedTuple):
    """What the squares say: milliseconds of the UTC day, and the picture's number modulo NUMBERS."""

    day_ms: int
    number: int


class Pictures:
    """Draws the pictures of one camera."""

    def __init__(self, camera: DemoCamera) -> None:
        self._base = _background(camera)
        self._disc = _disc(_DISC_PX)
        self._moon = _disc(_DISC_PX // 4)
        kind = f"{camera.codec.name[0]}.{camera.codec.name[1:]}" + (" + AAC" if camera.sound else "")
        _write(self._base[:HEIGHT], camera.name, (24, 22), 3)
        _write(self._base[:HEIGHT], kind, (WIDTH - 16 - len(kind) * ADVANCE * 3, 22), 3)

    def at(self, at_us: int, number: int) -> Plane:
        """The picture of a moment, in the layout yuv420p: luma, then both chroma planes, as one array of HEIGHT * 3 / 2 rows."""
        picture = self._base.copy()
        luma = picture[:HEIGHT]
        turn = at_us % (_ROUND_S * US_PER_S) / (_ROUND_S * US_PER_S) * tau
        x, y = WIDTH / 2 + 235 * sin(turn), 138 - 36 * cos(turn)
        _glow(luma, self._disc, x, y)
        second = at_us % US_PER_S / US_PER_S * tau
        _glow(luma, self._moon, x + 62 * sin(second), y - 62 * cos(second))
        local = localtime(at_us // US_PER_S)
        _write(luma, f"{strftime('%H:%M:%S', local)}.{at_us // 1000 % 1000:03d}", (24, 276), 6)
        _write(luma, strftime("%Y-%m-%d", local), (480, 276), 2)
        _write(luma, strftime("UTC%z", local)[:6], (480, 304), 2)
        _mark(luma, Mark(at_us % US_PER_DAY // 1000, number % NUMBERS))
        return picture


def read_mark(luma: NDArray[Any]) -> Mark:
    """What the squares of a decoded picture say (gray, of its full size); raises DataDamaged if they are not there or not clear."""
    if luma.shape != (HEIGHT, WIDTH):
        raise DataDamaged(f"a picture of {luma.shape[1]}x{luma.shape[0]}, expected {WIDTH}x{HEIGHT}")
    count = MS_BITS + NUMBER_BITS + 2
    rows = luma[SQUARES_Y + 2 : SQUARES_Y + SQUARE_PX - 2, SQUARES_X : SQUARES_X + count * SQUARE_PX]
    levels = rows.reshape(rows.shape[0], count, SQUARE_PX)[:, :, 2:-2].mean(axis=(0, 2))
    if levels[0] < 160 or levels[-1] > 96 or np.any(np.abs(levels - 128) < 24):
        raise DataDamaged("a picture without clear squares")
    bits = "".join("1" if level > 128 else "0" for level in levels[1:-1])
    return Mark(int(bits[:MS_BITS], 2), int(bits[MS_BITS:], 2))


def day_offset_us(mark: Mark, at_us: int) -> int:
    """How much later than `at_us` the squares are, taking the nearest day."""
    half = US_PER_DAY // 2
    return (mark.day_ms * 1000 - at_us % US_PER_DAY + half) % US_PER_DAY - half


# --- parts ---


def _background(camera: DemoCamera) -> Plane:
    """A slope from dusk to light in the camera's colour, hills, a dark foot for the clock."""
    picture = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    luma = 62 + 74 * (y / 250) ** 1.6
    for height, depth, pace in ((226, 84, 91.0), (240, 60, 57.0)):
        edge = height + 11 * np.sin(x / pace + camera.hue_degrees) + 6 * np.sin(x / pace * 2.3)
        luma = np.where(y > edge, depth, luma)
    luma[y > 262] = 34
    luma[y >= _STRIP_Y] = _BLACK
    picture[:HEIGHT] = luma.astype(np.uint8)
    angle = camera.hue_degrees / 180 * pi
    rows = np.arange(HEIGHT // 2)
    strength = 27 * (1 - 0.6 * rows / len(rows)) * (rows < _STRIP_Y // 2)
    chroma = picture[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    for plane, share in zip(chroma, (cos(angle), sin(angle)), strict=True):
        plane[:] = np.round(128 + strength * share)[:, np.newaxis]
    return picture


def _disc(radius_px: int) -> Cover:
    """How much of each pixel a disc with a soft edge covers."""
    y, x = np.mgrid[-radius_px - 2 : radius_px + 3, -radius_px - 2 : radius_px + 3]
    cover: Cover = np.clip(radius_px - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)
    return cover


def _glow(luma: Plane, mask: Cover, x: float, y: float) -> None:
    """Lays a bright shape around (x, y); it must lie inside the picture."""
    top, left = round(y) - mask.shape[0] // 2, round(x) - mask.shape[1] // 2
    part = luma[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[:] = part + mask * (216.0 - part)


def _write(luma: Plane, text: str, place: tuple[int, int], dot_px: int) -> None:
    """Writes text in white with its upper left corner at `place` (x, y); what passes the right edge is left out."""
    x, y = place
    for character in text:
        cover = letter(character, dot_px)
        part = luma[y : y + ROWS * dot_px, x : x + ADVANCE * dot_px]
        if part.shape == cover.shape:
            part[:] = part + cover * (float(_WHITE) - part)
        x += ADVANCE * dot_px


def _mark(luma: Plane, mark: Mark) -> None:
    bits = f"1{mark.day_ms:0{MS_BITS}b}{mark.number:0{NUMBER_BITS}b}0"
    row = np.array([_WHITE if bit == "1" else _BLACK for bit in bits], np.uint8).repeat(SQUARE_PX)
    luma[SQUARES_Y : SQUARES_Y + SQUARE_PX, SQUARES_X : SQUARES_X + len(row)] = row
