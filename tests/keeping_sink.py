"""A sink that keeps all it is given, for tests of sources."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from segments.media import AccessUnit, Track


class KeepingSink:
    """Keeps all it is given."""

    def __init__(self) -> None:
        self.openings: list[tuple[Sequence[Track], Sequence[str]]] = []
        self.units: list[AccessUnit] = []
        self.enough = asyncio.Event()

    def opened(self, tracks: Sequence[Track], notes: Sequence[str]) -> None:
        self.openings.append((tracks, notes))

    def unit(self, unit: AccessUnit, arrival_us: int) -> None:
        self.units.append(unit)
        if len(self.units) >= 60:
            self.enough.set()

    def clock(self, pts: int, wall_us: int) -> None:
        pass

    def of(self, track: int) -> list[AccessUnit]:
        """The units of one track."""
        return [unit for unit in self.units if unit.track == track]
