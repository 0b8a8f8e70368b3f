"""The port of what makes pictures anew, and what is burnt into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from playback.exports.job import Transcoding
from segments.clock import US_PER_S

SAME_US = 100_000
"""Offsets of wall time to file time that differ by less are shown as one: cameras' clocks are slewed by milliseconds."""


class Stamp(NamedTuple):
    """From this second of the film on, its wall time is `at_us` plus what has passed since."""

    file_s: float
    at_us: int


@dataclass(frozen=True, slots=True)
class Watermark:
    """Who took the footage away, in a line of text, and the times of it."""

    line: str
    stamps: tuple[Stamp, ...]


class Transcoder(Protocol):
    """Makes films anew as H.264 and AAC."""

    def transcoded(
        self, film: AsyncIterator[bytes], order: Transcoding, watermark: Watermark | None, made_s: Callable[[float], None]
    ) -> AbstractAsyncContextManager[Path]:
        """A file with the film made anew, which is gone when the context ends; `made_s` is told how many seconds are made.

        Raises DataDamaged where it cannot be read, TryAgain where the machine lacks something for a while, BadInput past its limits.
        """


def stamps_of(manifest: Mapping[str, Any]) -> tuple[Stamp, ...]:
    """The wall times of a virtual mp4, one for each stretch without a jump."""
    anchors: Sequence[Mapping[str, Any]] = [anchor for run in manifest["runs"] for anchor in run["segments"]]
    found: list[Stamp] = []
    for anchor in sorted(anchors, key=lambda each: float(each["file_s"])):
        stamp = Stamp(anchor["file_s"], anchor["at_us"])
        if not found or abs(_zero_us(stamp) - _zero_us(found[-1])) > SAME_US:
            found.append(stamp)
    return tuple(found)


def _zero_us(stamp: Stamp) -> float:
    """The wall time of the film's beginning, if it had no jumps."""
    return stamp.at_us - stamp.file_s * US_PER_S
