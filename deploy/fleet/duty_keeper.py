"""One duty at one place: its lease taken when it may be, renewed, begun anew and given back, and its handler told of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from segments.clock import US_PER_S, Clock
from segments.duty import Duty, DutyHandler
from segments.errors import KeepsightError, Unknown
from segments.lease_watch import HeldLease, LeaseWatch
from segments.model import Lease
from segments.ports import Leases

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_LOOK_S = 0.5
"""How often a place that wants a duty looks at its lease, at the least; a twelfth of the ttl if that is shorter."""


async def within(limit_s: float, clock: Clock, call: Coroutine[Any, Any, T]) -> T:
    """What the call gives. Raises Unknown if no answer comes in time: it may take effect all the same."""
    calling, waiting = asyncio.ensure_future(call), asyncio.ensure_future(clock.sleep(limit_s))
    try:
        await asyncio.wait((calling, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not calling.done():
            raise Unknown(f"no answer of the index within {limit_s:g} s")
        return calling.result()
    finally:
        calling.cancel()
        waiting.cancel()


async def wait_for(event: asyncio.Event, limit_s: float, clock: Clock) -> None:
    """Waits until the event is set, so many seconds at most, and clears it."""
    with contextlib.suppress(Unknown):
        await within(limit_s, clock, event.wait())
    event.clear()


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a place holds leases. A call that takes a third of the ttl counts as unanswered: there is time for another."""

    place: str
    ttl_s: float

    @property
    def ttl_us(self) -> int:
        """The ttl as leases have it."""
        return int(self.ttl_s * US_PER_S)

    @property
    def third_s(self) -> float:
        """How often a lease is renewed, and how long a call may take."""
        return self.ttl_s / 3

    @property
    def look_s(self) -> float:
        """How often the lease of another is looked at."""
        return min(LONGEST_LOOK_S, self.ttl_s / 12)


class DutyKeeper:
    """Keeps one duty while it runs; `resumes`: a lease in our name that is found at the first look is one this place had before."""

    def __init__(self, duty: Duty, *, handler: DutyHandler, index: Leases, terms: Terms, clock: Clock, resumes: bool) -> None:
        self.duty = duty
        self.held: HeldLease | None = None
        self._handler = handler
        self._index = index
        self._terms = terms
        self._clock = clock
        self._resumes = resumes
        self._watch = LeaseWatch(terms.place)
        self._answers = True
        self._over = False
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Wants the duty until cancelled, or until it is given back."""
        while not self._over:
            async with self._turn:
                if not self._over:
                    await self._tried(self._look if self.held is None else self._renew)
            self.say()
            await wait_for(self._wake, self._pause_s(), self._clock)

    def say(self) -> None:
        """Tells the handler how the lease stands; nothing if there is none."""
        if self.held is not None:
            self._handler.stands(self.held.lease, self.held.left_s(self._clock.monotonic_ns()), answers=self._answers)

    async def fresh_epoch(self) -> Lease | None:
        """The duty in a new epoch; None if it is not ours, or the index does not say so just now: ask again."""
        async with self._turn:
            before = self.held
            if before is None or self._over or not await self._tried(self._begin_anew):
                return None
            return self.held.lease if self.held is not None and self.held is not before else None

    async def give_back(self, linger_s: float) -> bool:
        """Gives the lease back at once and ends the duty after `linger_s`; whether it was ours. Nothing is done or said after this."""
        self._over = True
        self._wake.set()
        async with self._turn:
            if self.held is None:
                return False
            log.info("lease.given-back: %(duty)s of epoch %(epoch)s", _fields(self.held.lease))
            await self._tried(self._release)
            self._lose(linger_s)
            return True

    def _pause_s(self) -> float:
        """A renewal that failed is tried again soon: a lease must not be lost to one lost packet."""
        if self.held is None or not self._answers:
            return self._terms.look_s
        return max(self.held.left_s(self._clock.monotonic_ns()) - 2 * self._terms.third_s, self._terms.look_s / 2)

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether the index answered; what it answered is done."""
        try:
            await work()
        except KeepsightError as error:
            if self._answers:
                log.warning("lease.unanswered: %(duty)s goes on without the index: %(error)s", {"duty": self.duty, "error": error})
            self._watch, self._answers = self._watch.interrupted(), False
            return False
        self._answers = True
        return True

    async def _look(self) -> None:
        asked_ns = self._clock.monotonic_ns()
        lease = await self._call(self._index.lease(self.duty))
        self._watch = self._watch.saw(lease, asked_ns=asked_ns, answered_ns=self._clock.monotonic_ns())
        if not self._watch.may_take:
            self._resumes = False
            return
        resumes = self._resumes and lease is not None and lease.holder == self._terms.place and not lease.free
        if resumes and lease is not None:
            await self._prolong(lease)
        self._resumes = False
        if not resumes:
            await self._take(lease)
        if self.held is not None:
            log.info("lease.taken: %(duty)s in epoch %(epoch)s, resumed %(resumed)s", _fields(self.held.lease, resumed=resumes))
            as_left = lease if resumes and lease is not None else self.held.lease  # it tells when this place was last alive
            self._handler.held(as_left, resumed=resumes)

    async def _renew(self) -> None:
        assert self.held is not None
        await self._prolong(self.held.lease)
        if self.held is None:
            log.warning("lease.lost: %(duty)s is another place's now", {"duty": self.duty})
            self._lose(0.0)

    async def _begin_anew(self) -> None:
        """As it is seen now: a renewal without an answer may have counted up since."""
        lease = await self._call(self._index.lease(self.duty))
        if lease is not None and lease.holder == self._terms.place and not lease.free:
            await self._take(lease)

    async def _take(self, seen: Lease | None) -> None:
        asked_ns, now_us = self._clock.monotonic_ns(), self._clock.now_us()
        ttl_us = self._terms.ttl_us
        taken = await self._call(self._index.acquire(self.duty, self._terms.place, seen=seen, now_us=now_us, ttl_us=ttl_us))
        if taken is not None:
            self.held = HeldLease(taken, asked_ns)

    async def _prolong(self, lease: Lease) -> None:
        asked_ns, now_us = self._clock.monotonic_ns(), self._clock.now_us()
        kept = await self._call(self._index.renew(lease, now_us=now_us, ttl_us=self._terms.ttl_us))
        self.held = None if kept is None else HeldLease(kept, asked_ns)

    async def _release(self) -> None:
        assert self.held is not None
        await self._call(self._index.release(self.held.lease, now_us=self._clock.now_us()))

    def _lose(self, linger_s: float) -> None:
        self.held = None
        self._handler.lost(self.duty, linger_s=linger_s)

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        return await within(self._terms.third_s, self._clock, call)


def _fields(lease: Lease, **more: object) -> dict[str, object]:
    return {"duty": lease.duty, "epoch": lease.epoch, **more}
