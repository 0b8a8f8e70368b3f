"""Acts on consents and declarations: written into the register before they are done, and once more if they then fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from segments.access import Subject
from segments.audit import Act, Action, Outcome, Register
from segments.clock import Clock
from segments.errors import KeepsightError
from segments.model import Span

T = TypeVar("T")


async def done(register: Register, act: Act, work: Callable[[], Awaitable[T]]) -> T:
    """Does what the act says; raises TryAgain, and does nothing, if it cannot be written down."""
    await register.write(act)
    try:
        return await work()
    except KeepsightError as error:
        await register.write(replace(act, outcome=Outcome.FAILED, detail=str(error)))
        raise


class Acting:
    """Somebody who does something with consents and declarations, from an address."""

    def __init__(self, who: Subject, register: Register, clock: Clock, source: str = "") -> None:
        self.who = who
        self.clock = clock
        self._register = register
        self._source = source

    async def consent(self, what: str, cameras: Sequence[str], span: Span | None, reason: str, work: Callable[[], Awaitable[T]]) -> T:
        """Does something about consents, and writes it down."""
        return await done(self._register, self._act(Action.CONSENT, what, cameras, span, reason), work)

    async def declare(self, what: str, cameras: Sequence[str], reason: str, work: Callable[[], Awaitable[T]]) -> T:
        """Changes what is sensitive, and writes it down."""
        return await done(self._register, self._act(Action.CHANGE, what, cameras, None, reason), work)

    def _act(self, action: Action, what: str, cameras: Sequence[str], span: Span | None, reason: str) -> Act:
        return Act(self.clock.now_us(), self.who, action, what, tuple(cameras), span, reason, self._source)
