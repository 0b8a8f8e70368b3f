"""What a source of access units is, and what it feeds: the one seam between cameras and the rest of the recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from segments.errors import KeepsightError
from segments.media import AccessUnit, AudioTrack, Track
from segments.model import Cause


class SourceEnded(KeepsightError):
    """A source has ended. `cause` says why there is no footage from here on; the text is a sentence without secrets."""

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Sink(Protocol):
    """Where a source delivers. All calls come on the event loop, none of them may raise."""

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        """The tracks as of now; again, before the first unit of the new ones, whenever codec parameters change."""

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        """One access unit, in the order of decoding within its track; `arrival_us`: the recorder's wall clock as its last byte was read."""

    def clock(self, pts: int, wall_us: int) -> None:
        """A sender report: the camera's own wall clock at this media time."""


class Source(Protocol):
    """One camera."""

    async def run(self, sink: Sink) -> None:
        """Opens the camera and feeds the sink until it ends; always ends by SourceEnded (or cancellation), with everything closed."""


class SoundEncoder(Protocol):
    """Makes AAC out of sound that MP4 cannot hold."""

    track: AudioTrack

    def encode(self, data: bytes, pts: int) -> list[AccessUnit]:
        """Takes coded sound that begins at `pts` (ticks); returns the AAC units that are whole by now, their `track` 0."""


SoundFactory = Callable[[str, int, int], SoundEncoder]
"""Makes an encoder for a codec name (`PCMU`, `PCMA`), a rate in Hz and a number of channels."""
