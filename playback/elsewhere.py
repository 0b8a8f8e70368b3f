"""Footage at other sites, as playback sees it: asked for where there is none here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from segments.errors import NotFound
from segments.from_sites import FromSites
from segments.model import Footage, Row, RowPosition, Run, Span

SITES_AWAY_HEADER = "Keepsight-Sites-Away"
"""Response header: the sites, divided by commas, that were asked and did not answer; what only they have is missing from the answer."""


class Elsewhere(Protocol):
    """The other sites of this one. Each answers within a second or is left out, and then is not asked for some seconds.

    Rows of other sites name no pool but their site (`segments.from_sites`).
    """

    @property
    def sites(self) -> Collection[str]:
        """Their names; where there are none, nothing else is asked."""

    async def segments(self, camera: str, span: Span) -> FromSites[Sequence[tuple[Row, Run]]]:
        """Segments of which a part lies in a span of at most a day; one without SHA-256 may still grow."""

    async def footage(self, camera: str, span: Span) -> FromSites[Sequence[Footage]]:
        """When there is footage in a span of at most 400 days, in order of time; over a day from runs."""

    async def row(self, camera: str, position: RowPosition) -> Row:
        """One row; raises NotFound, or TryAgain if a site that may have it does not answer."""

    async def run(self, camera: str, run_id: str) -> Run:
        """One run; raises as `row` does."""

    def read(self, row: Row, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to `end` (excluded) of a segment at another site; from the next one that has it where one fails.

        Raises NotFound if none has the segment, TryAgain or DataDamaged if none of those that have it gives all of it.
        """

    def instead(self, row: Row, start: int, end: int, *, why: str) -> AsyncIterator[bytes]:
        """The same for a segment of here that its pool does not give, for this reason: from sites that have it with this SHA-256."""


class Nowhere:
    """A site without others."""

    sites: Collection[str] = ()

    async def segments(self, camera: str, span: Span) -> FromSites[Sequence[tuple[Row, Run]]]:  # noqa: ARG002
        """See `Elsewhere`."""
        return FromSites()

    async def footage(self, camera: str, span: Span) -> FromSites[Sequence[Footage]]:  # noqa: ARG002
        """See `Elsewhere`."""
        return FromSites()

    async def row(self, camera: str, position: RowPosition) -> Row:
        """See `Elsewhere`."""
        raise NotFound(f"{camera} has no segment {position.run}.{position.counter}")

    async def run(self, camera: str, run_id: str) -> Run:
        """See `Elsewhere`."""
        raise NotFound(f"{camera} has no run {run_id}")

    def read(self, row: Row, start: int, end: int) -> AsyncIterator[bytes]:  # noqa: ARG002
        """See `Elsewhere`."""
        raise NotFound(f"no other site has {row.key}")

    def instead(self, row: Row, start: int, end: int, *, why: str) -> AsyncIterator[bytes]:  # noqa: ARG002
        """See `Elsewhere`."""
        return self.read(row, start, end)
