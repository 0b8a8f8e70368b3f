"""Which footage misses a copy that its tier asks for, and which other sites may hold it: a port, and the answer of a site that is alone.

It is asked only for what would go otherwise: what stays anyway costs no request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from segments.model import Row, RowPosition

ALONE = "its tier asks for copies at other sites, and there is no other site"


class Copies(Protocol):
    """The other sites, as far as a deletion has to ask them. Both questions end after a limit; TryAgain is of our own index."""

    async def hear(self, within_s: float = 0.0) -> Mapping[str, str]:
        """Has every other site say which holds it has; they bind here when this returns. By site, a sentence on each that did not.

        Where they were asked no longer ago than this, that answer stands.
        """

    async def short(self, camera: str, day: date, rows: Sequence[Row], copies: int, *, early: bool = False) -> Mapping[RowPosition, str]:
        """Those of these rows of a camera-day that fewer than `copies` sites have, this one included, and what each of them waits for.

        A site that has deleted a segment when it was due there counts as having it, one that does not answer does not. One that has
        deleted it sooner, or is about to delete it, counts too, unless these rows are to go `early`: two sites that both need room would
        else take each other's last copy.
        """


class AloneCopies:
    """There is no other site: nobody else has a hold, and nobody has a copy."""

    async def hear(self, _within_s: float = 0.0) -> Mapping[str, str]:
        """There is nobody to be heard."""
        return {}

    async def short(
        self,
        _camera: str,
        _day: date,
        rows: Sequence[Row],
        copies: int,
        *,
        early: bool = False,  # noqa: ARG002 - the port's own word
    ) -> Mapping[RowPosition, str]:
        """Every row of a tier that asks for more than one."""
        return {row.position: ALONE for row in rows} if copies > 1 else {}


NO_COPIES = AloneCopies()
