"""The round of the duty `sites`: every other site is asked who it is and what it records in our place, its cameras and holds are followed,
and, where a witness is named, a site that fell silent is taken over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from replication.guests import Guests
from replication.ports import PROTOCOL, Hello, Peer
from replication.site_record import SiteSeen, read_site, seen_now, write_site
from replication.takeover import TakeoverIndex, TakeoverOrder, mend_takeover, plan_takeover, take_over
from segments.clock import US_PER_S, Clock
from segments.errors import Conflict, KeepsightError, Refused
from segments.takeover import (
    SILENT_US,
    Answer,
    Silence,
    Witness,
    after_answer,
    read_taken,
    read_takeover,
    why_not_taken_over,
    write_taken,
)

log = logging.getLogger(__name__)

SITES = "sites"
"""The kind of the duty; of one shard."""
EVERY_S = 2.0
ANSWER_S = 2.0
"""So long a site has to say who it is; then it did not answer."""
FOLLOW_EVERY_S = 10.0
FOLLOW_S = 20.0
"""So long what is followed (cameras, holds) may take in a round; it goes on in the next."""
AGAIN_S = 3600.0
"""So often all cameras are compared, changed or not."""
AUTOMATIC = "keepsight"
"""Who takes over where no person does."""


@dataclass(frozen=True, slots=True)
class SitesSettings:
    """Our own name; the witness of automatic takeovers ('': there are none), and after how much silence."""

    own: str
    witness: str = ""
    take_over_after_s: int = 300


class OtherSite:
    """One other site, as the duty follows it."""

    def __init__(self, name: str, peer: Peer, guests: Guests, holds: Callable[[], Awaitable[None]]) -> None:
        """`holds` pulls its holds into ours."""
        self.name = name
        self.peer = peer
        self.guests = guests
        self.holds = holds
        self.seen: SiteSeen | None = None
        self.written = SiteSeen(name)
        self.answers = self.failing = False
        self.followed_ns: int | None = None
        self.compared_ns: int | None = None


class Sites:
    """The rounds of the duty."""

    def __init__(self, settings: SitesSettings, others: Mapping[str, OtherSite], *, index: TakeoverIndex, clock: Clock) -> None:
        self._settings = settings
        self._others = others
        self._index = index
        self._clock = clock
        self._asking_since_us = self._last_us = clock.now_us()

    async def round(self) -> float:
        """One round; the seconds until the next. What goes wrong with one site is noted of it and holds nobody up."""
        now_us = self._clock.now_us()
        if now_us - self._last_us > SILENT_US:
            self._asking_since_us = now_us
        self._last_us = now_us
        await asyncio.gather(*(self._look_after(other) for other in self._others.values()))
        return EVERY_S

    async def _look_after(self, other: OtherSite) -> None:
        """All that is done about a site in a round. If our index fails, or another writes the same, the next round does it."""
        try:
            await self._visit(other)
            await self._mend(other)
        except KeepsightError as error:
            if not other.failing:
                log.warning("site.unnoted: what %(site)s says is not written down: %(error)s", {"site": other.name, "error": error})
            other.failing = True
        else:
            other.failing = False

    # --- one site

    async def _visit(self, other: OtherSite) -> None:
        seen = other.seen or await read_site(self._index, other.name)
        try:
            async with asyncio.timeout(ANSWER_S):
                hello, records = await ask(other.name, other.peer, self._settings.own)
        except (KeepsightError, TimeoutError) as error:
            other.answers = False
            seen = replace(seen, finding=str(error) or f"it did not answer within {ANSWER_S:g} s")
            await note_answer(other.name, Answer(None, seen.epoch, seen.heard_us, self._clock.now_us(), answered=False), self._index)
        else:
            other.answers = True
            seen = seen_now(seen, hello, self._clock.now_us())
            await note_answer(other.name, Answer(records, seen.epoch, seen.heard_us, seen.heard_us), self._index)
            seen = await self._follow(other, seen)
        await self._note(other, seen)

    async def _follow(self, other: OtherSite, seen: SiteSeen) -> SiteSeen:
        """Its cameras and holds, when it is time for them."""
        now_ns = self._clock.monotonic_ns()
        if not _is_due(other.followed_ns, now_ns, FOLLOW_EVERY_S):
            return seen
        if _is_due(other.compared_ns, now_ns, AGAIN_S):
            other.guests.forget()
            other.compared_ns = now_ns
        try:
            async with asyncio.timeout(FOLLOW_S):
                await other.holds()
                followed = await other.guests.follow()
        except (KeepsightError, TimeoutError) as error:
            return replace(seen, finding=f"its cameras and holds cannot be followed: {error or 'it takes too long'}")
        other.followed_ns = now_ns if followed.is_whole else None
        return replace(seen, guests=followed.guests, conflicts=followed.conflicts, finding=followed.finding)

    async def _note(self, other: OtherSite, seen: SiteSeen) -> None:
        """Writes what is known of a site when it changed, and now and then that it was heard."""
        if bool(seen.finding) != bool(other.written.finding):
            words = {"site": other.name, "finding": seen.finding or "all is well"}
            log.warning("site.changed: %(site)s: %(finding)s", words)
        same = replace(seen, heard_us=0, ahead_us=0, epoch=0) == replace(other.written, heard_us=0, ahead_us=0, epoch=0)
        other.seen = seen
        if not same or seen.heard_us - other.written.heard_us >= FOLLOW_EVERY_S * 1e6:
            await write_site(self._index, seen)
            other.written = seen

    # --- takeovers

    async def _mend(self, other: OtherSite) -> None:
        if other.seen is None:
            return
        await mend_takeover(other.seen, self._index, now_us=self._clock.now_us())
        if self._settings.witness and other.name != self._settings.witness and not other.answers:
            await self._without_a_person(other.seen)

    async def _without_a_person(self, seen: SiteSeen) -> None:
        """Takes a silent site over if the witness has not heard it either."""
        now_us, after_s = self._clock.now_us(), self._settings.take_over_after_s
        silence = Silence(seen.heard_us, self._asking_since_us, now_us)
        before = await read_takeover(self._index, seen.site)
        if (before is not None and not before.ended_us) or silent_s(silence) < after_s:
            return
        if why_not_taken_over(silence, await self._ask_witness(seen.site), after_s=after_s):
            return
        reason = f"not heard for {silent_s(silence):.0f} s, nor by {self._settings.witness}"
        try:
            order = TakeoverOrder(seen.site, (), AUTOMATIC, reason)
            await take_over(await plan_takeover(order, self._index, now_us=now_us), self._index, now_us=now_us)
        except Conflict:
            return  # somebody was faster

    async def _ask_witness(self, site: str) -> Witness | None:
        other = self._others[self._settings.witness]
        try:
            async with asyncio.timeout(ANSWER_S):
                hello = await other.peer.hello()
                heard_it_us, heard_us_us = await other.peer.heard_us(site), await other.peer.heard_us(self._settings.own)
                return Witness(hello.now_us, heard_it_us, heard_us_us, await other.peer.taken_over(site) is not None)
        except (KeepsightError, TimeoutError):
            return None


# --- who records ours


async def ask(site: str, peer: Peer, own: str) -> tuple[Hello, tuple[str, ...] | None]:
    """Who a site is, and which of ours it records in our place. Raises Refused if it is another one, or speaks otherwise."""
    hello = await peer.hello()
    if hello.site != site:
        raise Refused(f"it says that it is {hello.site!r}: look at sites.{site}.url")
    if hello.protocol != PROTOCOL:
        raise Refused(
            f"it speaks version {hello.protocol} of the questions between sites, this one {PROTOCOL}: bring the older one up to date"
        )
    told = await peer.taken_over(own)
    return hello, None if told is None else tuple(told)


async def note_answer(site: str, answer: Answer, index: TakeoverIndex) -> None:
    """Writes down what a site says of ours that it records, if that is new; epochs are spent before ours are recorded again."""
    known = await read_taken(index, site)
    now = after_answer(site, known, answer)
    if now is None or now == known:
        return
    if now.ended_us:
        await index.spend_epochs(now.after_epoch)
    await write_taken(index, now, before=known)
    if now.ended_us:
        log.warning("site.ours-again: cameras that %(site)s recorded in our place are recorded here", {"site": site})
    else:
        log.warning("site.ours-taken: %(site)s records cameras of ours in our place; they are not recorded here", {"site": site})


async def ask_before_recording(own: str, peers: Mapping[str, Peer], index: TakeoverIndex, clock: Clock) -> None:
    """What a site does that comes back, before it records: asks all others whether they do so in its place, for `ANSWER_S` at most.

    Who does not answer is taken not to: in doubt both record.
    """

    async def one(site: str, peer: Peer) -> None:
        seen = await read_site(index, site)
        try:
            async with asyncio.timeout(ANSWER_S):
                hello, cameras = await ask(site, peer, own)
            seen = seen_now(seen, hello, clock.now_us())
            answer = Answer(cameras, seen.epoch, seen.heard_us, seen.heard_us)
        except (KeepsightError, TimeoutError):
            answer = Answer(None, seen.epoch, 0, clock.now_us(), answered=False)
        try:
            await note_answer(site, answer, index)
            await write_site(index, seen)
        except Conflict:
            return  # another node of ours asks it, too

    await asyncio.gather(*(one(site, peer) for site, peer in peers.items()))


def _is_due(last_ns: int | None, now_ns: int, every_s: float) -> bool:
    return last_ns is None or now_ns - last_ns >= every_s * 1e9


def silent_s(silence: Silence) -> float:
    """For how many seconds a site was asked without an answer."""
    return (silence.now_us - max(silence.heard_us, silence.asking_since_us)) / US_PER_S
