"""Footage at other sites, for those who play it here: all peers are asked at once, and one that hangs holds nobody up for long."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from replication.ports import AskFootage
from segments.clock import US_PER_HOUR, Clock
from segments.errors import DataDamaged, KeepsightError, NotFound, TryAgain
from segments.from_sites import FromSites, at_site, site_of
from segments.model import Footage, Row, RowPosition, Run, Span

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_S = 1.0
"""How long a site may take for one answer, or to the first byte of a segment: what is here is worth more than its answer."""
STALLED_S = 3.0
"""How long the bytes of a segment may stop on their way."""
REST_S = 10.0
"""So long a site that did not answer is not asked again."""
QUESTIONS_AT_ONCE = 8
READS_AT_ONCE = 16
"""Questions and reads of bytes that are open at one site; others wait, at most `ANSWER_S`."""
PIECE_US = 2 * US_PER_HOUR
"""Rows are asked for in pieces of so long a span, so that an answer of many rows may take longer than `ANSWER_S` in all."""
KNOWN = 2_000
"""Rows that are remembered with who has them: more than a playlist of a day names."""


class PeerElsewhere:
    """See `playback.elsewhere.Elsewhere`. Believes no more of another site than that a row is the same if its SHA-256 is."""

    def __init__(self, peers: Mapping[str, AskFootage], clock: Clock) -> None:
        self._peers = peers
        self._clock = clock
        self._rests_until_ns: dict[str, int] = {}
        self._questions = {site: asyncio.Semaphore(QUESTIONS_AT_ONCE) for site in peers}
        self._reads = {site: asyncio.Semaphore(READS_AT_ONCE) for site in peers}
        self._known: OrderedDict[tuple[str, RowPosition], Row] = OrderedDict()
        self._told: OrderedDict[tuple[str, RowPosition], None] = OrderedDict()

    @property
    def sites(self) -> Sequence[str]:
        """See `Elsewhere`."""
        return tuple(self._peers)

    async def segments(self, camera: str, span: Span) -> FromSites[Sequence[tuple[Row, Run]]]:
        """See `Elsewhere`."""

        async def ask(site: str) -> Sequence[tuple[Row, Run]]:
            found: dict[RowPosition, tuple[Row, Run]] = {}
            for start_us in range(span.start_us, span.end_us, PIECE_US):
                piece = Span(start_us, min(start_us + PIECE_US, span.end_us))
                found |= {row.position: (row, run) for row, run in await self._between(site, camera, piece)}
            return list(found.values())

        return await self._ask_all(ask)

    async def footage(self, camera: str, span: Span) -> FromSites[Sequence[Footage]]:
        """See `Elsewhere`."""
        return await self._ask_all(lambda site: self._ask(site, lambda peer: peer.footage(camera, span)))

    async def row(self, camera: str, position: RowPosition) -> Row:
        """See `Elsewhere`."""
        if known := self._known.get((camera, position)):
            return known
        first = Span(position.start_us, position.start_us + 1)
        said = await self._ask_all(lambda site: self._between(site, camera, first))
        found = [row for rows in said.by_site.values() for row, _ in rows if row.position == position]
        if not found:
            raise _nowhere(said.away, f"{camera} has no segment {position.run}.{position.counter}")
        return max(found, key=lambda row: (bool(row.sha256), row.size))

    async def run(self, camera: str, run_id: str) -> Run:
        """See `Elsewhere`."""

        async def ask(site: str) -> Run | None:
            try:
                return await self._ask(site, lambda peer: peer.run(camera, run_id))
            except NotFound:
                return None

        said = await self._ask_all(ask)
        found = [run for run in said.by_site.values() if run is not None and (run.camera, run.id) == (camera, run_id)]
        if not found:
            raise _nowhere(said.away, f"{camera} has no run {run_id}")
        return max(found, key=lambda run: run.last_us)

    async def read(self, row: Row, start: int, end: int) -> AsyncGenerator[bytes]:
        """See `Elsewhere`. A whole segment is hashed, and its last piece held back until the hash is right."""
        whole = (start, end) == (0, row.size) and bool(row.sha256)
        errors: list[KeepsightError] = []
        at, digest = start, hashlib.sha256()
        for site in sorted(self._peers, key=lambda site: site != site_of(row)):
            try:
                async with aclosing(self._pieces(site, row, at, end)) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                        if whole and at + len(piece) == end and digest.hexdigest() != row.sha256:
                            raise DataDamaged(f"{row.key} as it comes from site {site} is not of its SHA-256")
                        at += len(piece)
                        yield piece
                return
            except NotFound:
                self._known.pop((row.camera, row.position), None)
            except KeepsightError as error:
                errors.append(error)
                if isinstance(error, DataDamaged) and at > start:
                    break  # what was given already may be of it
                digest = digest if at > start else hashlib.sha256()
        raise errors[0] if errors else NotFound(f"no other site has {row.key}")

    async def instead(self, row: Row, start: int, end: int, *, why: str) -> AsyncGenerator[bytes]:
        """See `Elsewhere`."""
        if not row.sha256:
            raise NotFound(f"{row.key} is still recorded, so no other site can be known to have it")
        async with aclosing(self.read(row, start, end)) as pieces:
            async for piece in pieces:
                self._tell(row, why)
                yield piece

    # --- sites ---

    async def _ask_all(self, question: Callable[[str], Awaitable[T]]) -> FromSites[T]:
        """What each site answers; those that do not are named."""

        async def one(site: str) -> T | KeepsightError:
            try:
                return await question(site)
            except KeepsightError as error:
                return error

        said = dict(zip(self._peers, await asyncio.gather(*(one(site) for site in self._peers)), strict=True))
        answers = {site: answer for site, answer in said.items() if not isinstance(answer, KeepsightError)}
        return FromSites(answers, frozenset(said.keys() - answers.keys()))

    async def _ask(self, site: str, question: Callable[[AskFootage], Awaitable[T]]) -> T:
        """One answer of a site; one that fails rests."""
        self._check_awake(site)
        async with _place(self._questions[site], f"site {site} is being asked enough: ask again in a moment"):
            self._check_awake(site)  # it may have failed others meanwhile
            async with self._heard(site), asyncio.timeout(ANSWER_S):
                return await question(self._peers[site])

    @asynccontextmanager
    async def _heard(self, site: str) -> AsyncIterator[None]:
        """Around what is heard of a site: after a failure it rests."""
        try:
            yield
        except NotFound:
            raise
        except (KeepsightError, TimeoutError) as failure:
            error = failure if isinstance(failure, KeepsightError) else TryAgain(f"site {site} did not answer in time")
            if not self._rests(site):
                log.warning("elsewhere.unanswered: site %(site)s does not answer: %(error)s", {"site": site, "error": error})
                if not isinstance(error, DataDamaged):  # one segment says nothing of the site
                    self._rests_until_ns[site] = self._clock.monotonic_ns() + int(REST_S * 1e9)
            raise error from None

    def _check_awake(self, site: str) -> None:
        """Raises TryAgain if it is not to be asked now."""
        if self._rests(site):
            raise TryAgain(f"site {site} did not answer a moment ago")

    def _rests(self, site: str) -> bool:
        return self._rests_until_ns.get(site, 0) > self._clock.monotonic_ns()

    # --- rows ---

    async def _between(self, site: str, camera: str, span: Span) -> list[tuple[Row, Run]]:
        """The rows of a site; sealed ones are remembered."""
        said = await self._ask(site, lambda peer: peer.between(camera, span))
        fit = [(row, run) for row, run in said if (row.camera, run.camera, run.id) == (camera, camera, row.run)]
        found = [(row, run) for row, run in fit if row.start_us < span.end_us and row.end_us > span.start_us]
        theirs = [(replace(row, pool=at_site(site)), run) for row, run in found]
        for row, _ in theirs:
            if row.sha256:
                self._known.setdefault((camera, row.position), row)
                self._known.move_to_end((camera, row.position))
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return theirs

    # --- bytes ---

    async def _pieces(self, site: str, row: Row, start: int, end: int) -> AsyncGenerator[bytes]:
        """Exactly the bytes asked for, or DataDamaged before the last of them."""
        left, held = end - start, b""
        async with aclosing(self._arriving(site, row, start, end)) as pieces:
            async for piece in pieces:
                left -= len(piece)
                if left < 0:
                    break
                if held:
                    yield held
                held = piece
        if left:
            raise DataDamaged(f"{row.key} as it comes from site {site} is not as long as its row says")
        yield held

    async def _arriving(self, site: str, row: Row, start: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes as they come; a site that stops in the middle is one that does not answer."""
        async with _place(self._reads[site], f"{READS_AT_ONCE} segments are being read at site {site} already: ask again in a moment"):
            pieces: AsyncIterator[bytes] | None = None
            limit_s = ANSWER_S
            try:
                pieces = (await self._ask(site, lambda peer: peer.read(row, start, end))).pieces
                while True:
                    async with self._heard(site), asyncio.timeout(limit_s):
                        piece = await anext(pieces, b"")
                    if not piece:
                        return
                    yield piece
                    limit_s = STALLED_S
            finally:
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()

    def _tell(self, row: Row, why: str) -> None:
        """Says once of a segment that it is served from elsewhere."""
        key = (row.camera, row.position)
        if key not in self._told:
            log.warning("elsewhere.served: %(key)s is served from another site, since here %(why)s", {"key": row.key, "why": why})
            self._told[key] = None
            if len(self._told) > KNOWN:
                self._told.popitem(last=False)


@asynccontextmanager
async def _place(places: asyncio.Semaphore, full: str) -> AsyncIterator[None]:
    """Waits for one of these places; if there is none for so long, that is no fault of the site. Raises TryAgain."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await places.acquire()
    except TimeoutError:
        raise TryAgain(full) from None
    try:
        yield
    finally:
        places.release()


def _nowhere(away: frozenset[str], sentence: str) -> KeepsightError:
    """That something is nowhere; or that nobody knows, since sites do not answer."""
    if away:
        return TryAgain(f"{sentence} here; it may be at {', '.join(sorted(away))}, which did not answer")
    return NotFound(sentence)
