"""Whether a program can do its work now, part by part: asked by probes, metrics and people, and cheap however often it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.shared_work import SharedWork
from playback.live import LiveFootage
from segments.clock import Clock
from segments.errors import KeepsightError, NotFound, TryAgain
from segments.ports import Places, ReadObject

KEPT_S = 2.0
"""So long an answer is given again: probes cost the parts nothing."""
LIMIT_S = 2.0
"""A part that does not answer within so long is ill."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something a program stands on. `check` raises a KeepsightError whose sentence says what is wrong.

    `needed`: without it the program is not ready. Others are told of, and the program does the rest of its work.
    """

    name: str
    check: Callable[[], Awaitable[None]]
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """Which parts are ill, each with its sentence, and whether the program is ready all the same."""

    ill: Mapping[str, str]
    ready: bool

    @property
    def status(self) -> str:
        """`ok`, `impaired` (ready, and something is ill) or `ill`."""
        return "ill" if not self.ready else "impaired" if self.ill else "ok"


class Health:
    """Checks all parts at once, at most every 2 s; several who ask share one check."""

    def __init__(self, parts: Sequence[Part], clock: Clock) -> None:
        self.parts = parts
        self._checks = [(part.name, SharedWork(part.check)) for part in parts]
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._found: tuple[int, Findings] | None = None

    async def findings(self) -> Findings:
        """How the parts are, or were at most 2 s ago."""
        async with self._one_at_a_time:
            now_ns = self._clock.monotonic_ns()
            if self._found is None or now_ns - self._found[0] >= KEPT_S * 1e9:
                sentences = await asyncio.gather(*(_sentence(check) for _, check in self._checks))
                ill = {name: sentence for (name, _), sentence in zip(self._checks, sentences, strict=True) if sentence}
                self._found = now_ns, Findings(ill, not any(part.needed and part.name in ill for part in self.parts))
            return self._found[1]


async def _sentence(check: Callable[[], Awaitable[None]]) -> str:
    """What is wrong with a part; empty if nothing is."""
    try:
        async with asyncio.timeout(LIMIT_S):
            await check()
    except KeepsightError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {LIMIT_S:g} s"
    except OSError as error:
        return str(error.strerror)
    return ""


def index_part(index: Places, place: str) -> Part:
    """The index answers a small read."""

    async def check() -> None:
        await index.placings(place)

    return Part("index", check, needed=True)


def pool_part(name: str, pool: ReadObject) -> Part:
    """A pool answers; that it has no such object is an answer."""

    async def check() -> None:
        try:
            await pool.head("health/none")
        except NotFound:
            return

    return Part(f"pool {name}", check)


def live_part(live: LiveFootage) -> Part:
    """The recording side answers."""

    async def check() -> None:
        await live.status()

    return Part("recording", check)


def told_part(name: str, sentence: Callable[[], str], *, needed: bool = False) -> Part:
    """A part that the program itself knows about: `sentence` says what is wrong, or nothing."""

    async def check() -> None:
        if wrong := sentence():
            raise TryAgain(wrong)

    return Part(name, check, needed=needed)
