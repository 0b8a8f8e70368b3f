"""Who works questions of planners out: another process, as the computing would hold up all other answers. And how many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from playback.problems import TooMuch
from segments.errors import NotFound

TURN_S = 10.0
"""How long a question waits for its turn."""
WAITING = 8
"""How many questions may wait, for each that is worked on."""


class Planner(Protocol):
    """Works questions out."""

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:
        """What JSON says of it, in the form of the question's view; raises BadInput where the question is wrong or takes too long,
        DataDamaged, Refused or TryAgain where what it is about cannot be read.
        """


class NoPlanner:
    """Where nothing is worked out."""

    async def answer(self, question: str, asked: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """See `Planner`."""
        raise NotFound("this service works out no plans: ask `keepsight capacity` on the command line")


@dataclass
class Turns:
    """At most `most` questions are worked on at once; some more wait a while."""

    most: int
    _asked: int = 0
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.most)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While a question is worked on; raises TooMuch if too many wait, or its turn does not come within `TURN_S`."""
        if self._asked >= self.most * (1 + WAITING):
            raise TooMuch(f"{self._asked} questions of planners are asked here already")
        self._asked += 1
        try:
            await self._come()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._asked -= 1

    async def _come(self) -> None:
        try:
            async with asyncio.timeout(TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            raise TooMuch(
                f"this service works on {self.most} questions of planners at once, and none was done within {TURN_S:g} s"
            ) from None
