"""Another site as a deletion and a hold meet it: its index without a wire, which may be away, or be silent for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from replication.ports import Has, Named
from retention.merged_holds import merge_holds
from segments.errors import TryAgain
from segments.hold import HOLDS, Hold, Stretch, hold_of
from segments.model import RowPosition


@dataclass
class PeerOver:
    """Answers what R asks of a `Peer`. `has_of`: what it has of rows, by position, else `usually`. `asked` counts questions."""

    index: Any
    usually: Has = Has.MISSING
    has_of: Mapping[RowPosition, Has] = field(default_factory=dict)
    away: bool = False
    silent: bool = False
    gone: Sequence[Stretch] | None = ()
    asked: Counter[str] = field(default_factory=Counter)

    async def holds(self) -> Sequence[Hold]:
        """All it knows of."""
        await self._answers("holds")
        return [hold_of(record) for record in await self.index.records(HOLDS)]

    async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """They are merged into its own."""
        await self._answers("tell_holds")
        await merge_holds(holds, self.index)
        return self.gone

    async def has(self, _camera: str, _day: date, named: Sequence[Named]) -> Sequence[Has]:
        """As it was made to."""
        await self._answers("has")
        return [self.has_of.get(each.position, self.usually) for each in named]

    async def _answers(self, question: str) -> None:
        self.asked[question] += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise TryAgain("it does not answer")


def as_peers(**peers: PeerOver) -> Any:
    """By name, as those who ask take them."""
    return peers
