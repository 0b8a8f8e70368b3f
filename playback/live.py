"""The live edge: footage that is durable in a spool and not yet in the index, as playback sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from segments.errors import KeepsightError, NotFound, TryAgain
from segments.model import Row, RowPosition, Run


class Partly(TryAgain):
    """Some of the places that were asked did not answer; `found` is what the others know."""

    def __init__(self, found: Sequence[tuple[Row, Run]], why: KeepsightError) -> None:
        super().__init__(f"a place that records does not answer: {why}")
        self.found = found


class LiveFootage(Protocol):
    """Reads spools through whoever owns them. All of it raises TryAgain or Refused where that one does not answer."""

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """Segments of a camera that are not indexed, growing ones included, with what is durable of them.

        A row whose bytes are still in the spool names no pool. One without SHA-256 may still grow: its fragments only become more, and its
        bytes never change.
        """

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """Bytes of such a segment; raises NotFound once it has left the spool (then it is in the index)."""

    async def status(self) -> Mapping[str, object]:
        """The parts of `GET /status` that recorders and uploaders know: cameras, fragments, spool, alarms."""


class NoLive:
    """A service without recorders: there is nothing that is not indexed."""

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:  # noqa: ARG002
        """See `LiveFootage`."""
        return ()

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:  # noqa: ARG002
        """See `LiveFootage`."""
        raise NotFound(f"{camera} has no segment {position.run}.{position.counter} in a spool")

    async def status(self) -> Mapping[str, object]:
        """See `LiveFootage`."""
        return {}
