"""Another site, asked over HTTP (see `Peer`); what it says is checked as a stranger's."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import date
from typing import Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from replication import wire, wire_site
from replication.byte_streams import Opened
from replication.peer_http import PeerAddress, SiteHttp
from replication.ports import MOST_DAYS, MOST_FOOTAGE_DAYS, MOST_GONE, PROTOCOL, Bytes, Has, Hello, Named, News
from replication.source import after
from replication.wire_values import as_bytes, items, members, parsed, to_json
from segments.clock import Clock
from segments.digest import HOURS, Digest
from segments.errors import BadInput, DataDamaged, Refused, TryAgain
from segments.hold import Hold, Stretch
from segments.model import Camera, Footage, Partition, Row, Run, Span
from segments.ports import Page

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_S = 60.0
"""Of a whole answer, bytes of footage aside."""
MOST_ANSWER_BYTES = 64 << 20
DAYS_A_REQUEST = 250
REQUESTS_AT_ONCE = 2
"""Of one question that takes several."""
HOLDS_BYTES = 8 << 20
"""Of a request that tells holds."""


class PeerClient:
    """See `Peer`. TryAgain: it does not answer; Refused: it does not let us in; DataDamaged: it says what cannot be."""

    def __init__(self, address: PeerAddress, *, clock: Clock) -> None:
        self.address = address
        self._http = SiteHttp(address, clock)
        self._holds = wire_site.StampedHolds("", None)

    async def close(self) -> None:
        """See `Peer`."""
        await self._http.close()

    # --- footage ---

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """See `AskFootage`."""
        if len(days) > MOST_DAYS:
            raise BadInput(f"{len(days)} camera-days; at most {MOST_DAYS} are asked for at once")
        at_once = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def some(part: Sequence[Partition]) -> list[Digest]:
            def read(value: Any) -> list[Digest]:
                return [wire.digest(each) for each in _exactly(len(part), value)]

            async with at_once:
                return await self._ask("digests", {"days": to_json(list(part))}, read)

        parts = [days[start : start + DAYS_A_REQUEST] for start in range(0, len(days), DAYS_A_REQUEST)]
        return [digest for found in await asyncio.gather(*map(some, parts)) for digest in found]

    async def camera_days(self, *, after: str = "", limit: int = MOST_DAYS) -> Page[tuple[Partition, Digest], str]:
        """See `AskFootage`."""
        return await self._ask("camera-days", {"after": after, "limit": min(limit, DAYS_A_REQUEST)}, wire.days_with_digests)

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """See `AskFootage`."""
        return await self._ask(
            "hours", {"camera": camera, "day": to_json(day)}, lambda value: [wire.digest(each) for each in _exactly(HOURS, value)]
        )

    async def rows(self, camera: str, day: date, hours: Collection[int]) -> Sequence[Row]:
        """See `AskFootage`. What is no row is left out, and told in the log."""
        asked = {"camera": camera, "day": to_json(day), "hours": sorted(set(hours))}
        found, wrong = await self._ask("rows", asked, lambda value: wire.rows_of(camera, day, value))
        if wrong:
            log.error("site.bad-rows: site %s, %s %s: %d rows are none: %s", self.address.site, camera, day, len(wrong), wrong[0])
        return found

    async def run(self, camera: str, run_id: str) -> Run:
        """See `AskFootage`."""

        def read(value: Any) -> Run:
            if (run := wire.run_of(camera, value)).id != run_id:
                raise BadInput(f"it is of {run.id}, and {run_id} was asked for")
            return run

        return await self._ask("run", {"camera": camera, "run": run_id}, read)

    async def between(self, camera: str, span: Span) -> Sequence[tuple[Row, Run]]:
        """See `AskFootage`."""
        wire.check_span(span)
        return await self._ask("between", {"camera": camera, "span": to_json(span)}, lambda value: wire.rows_with_runs_of(camera, value))

    async def footage(self, camera: str, span: Span) -> Sequence[Footage]:
        """See `AskFootage`."""
        wire.check_span(span, days=MOST_FOOTAGE_DAYS)
        return await self._ask("footage", {"camera": camera, "span": to_json(span)}, wire.footage_of)

    async def has(self, camera: str, day: date, named: Sequence[Named]) -> Sequence[Has]:
        """See `AskFootage`."""
        asked = {"camera": camera, "day": to_json(day), "segments": to_json(list(named))}
        return await self._ask("has", asked, lambda value: wire.has(_exactly(len(named), value)))

    async def news(self, after: str) -> News:
        """See `AskFootage`."""
        return await self._ask("news", {"after": after}, wire.news_of)

    # --- the site ---

    async def hello(self) -> Hello:
        """See `AskSite`; raises Refused where another site or another protocol answers there."""
        hello = await self._ask("hello", {}, wire_site.hello_of)
        if hello.site != self.address.site:
            raise Refused(
                f"the site at {self.address.url} is called {hello.site}, and not {self.address.site}: see sites in the configuration"
            )
        if hello.protocol != PROTOCOL:
            raise Refused(
                f"site {hello.site} speaks protocol {hello.protocol} between sites, this one {PROTOCOL}: run the same version on both"
            )
        return hello

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `AskSite`."""
        return await self._ask("camera-stamps", {}, wire_site.stamps_of)

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `AskSite`."""
        return await self._ask("cameras", {"bucket": bucket}, lambda value: [wire_site.camera_of(each) for each in items(value, "cameras")])

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `AskSite`."""
        return await self._ask("credentials", {"bucket": bucket}, wire_site.credentials_of)

    async def holds(self) -> Sequence[Hold]:
        """See `AskSite`. Where they are as they were when they were asked for last, they do not come again."""
        known = self._holds
        said = await self._ask("holds", {"stamp": known.stamp}, wire_site.stamped_holds_of)
        if said.holds is None:
            if said.stamp != known.stamp or known.holds is None:
                raise DataDamaged(f"site {self.address.site} says that its holds are as before, and does not know how they were")
            return known.holds
        self._holds = said
        return said.holds

    async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """See `AskSite`."""
        gone: list[Stretch] = []
        known = True
        for part in _parts([to_json(hold) for hold in holds]):
            said = await self._ask("told-holds", {"holds": part}, wire_site.gone_of)
            gone, known = [*gone, *(said or ())], known and said is not None
        return gone[:MOST_GONE] if known else None

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """See `AskSite`."""

        def read(value: Any) -> list[str] | None:
            (cameras,) = members(value, "cameras")
            return None if cameras is None else [wire.camera_id(each) for each in items(cameras, "cameras", most=1_000_000)]

        return await self._ask("taken-over", {"site": site}, read)

    async def heard_us(self, site: str) -> int:
        """See `AskSite`."""
        return await self._ask("heard", {"site": site}, lambda value: wire.moment_us(*members(value, "heard_us")))

    # --- bytes ---

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`. By a link to its store where it gives one that we accept and that works, else through the site.

        The pieces are as many bytes as were asked for, or raise DataDamaged (TryAgain where the connection is lost).
        """
        begin, stop = min(start, row.size), min(row.size, row.size if end is None else end)
        if stop <= begin:
            stop = begin
        if self.address.links and stop > begin:
            found = await self._by_link(row, begin, stop)
            if found is not None:
                return found
        answer = await self._object(row, begin, stop, links=())
        return await self._bytes(answer, stop - begin, _attributes(answer))

    async def _by_link(self, row: Row, start: int, end: int) -> Bytes | None:
        """None where the link does not open."""
        answer = await self._object(row, start, end, links=sorted(self.address.links))
        if answer.status != 307:
            return await self._bytes(answer, end - start, _attributes(answer))
        await _leave(answer)
        link = answer.headers.get("location", "")
        if _origin(link) not in self.address.links:
            raise Refused(f"site {self.address.site} sends us to an address that is not among sites.{self.address.site}.links")
        try:
            given = await self._http.follow(link, start, end)
        except TryAgain:
            return None
        whole = given.status == 200 and (start, end) == (0, row.size)
        if given.status != 206 and not whole:
            await _leave(given)
            return None
        return await self._bytes(given, end - start, _attributes(answer))

    async def _object(self, row: Row, start: int, end: int, *, links: Sequence[str]) -> Opened:
        """An answer with bytes, or (307) the way to them."""
        place = {"camera": row.camera, **row.position._asdict(), "size": row.size, "sha256": row.sha256, "start": start, "end": end}
        target = f"/sites/object?{urlencode([*place.items(), *(('links', link) for link in links)])}"
        answer = await self._http.object(target)
        if answer.status not in (200, 307) or (answer.status == 307 and not links):
            raise await self._http.error_of_object(answer)
        try:
            _attributes(answer)
        except DataDamaged:
            await _leave(answer)
            raise
        return answer

    async def _bytes(self, answer: Opened, size: int, attributes: Mapping[str, str]) -> Bytes:
        if answer.headers.get("content-length", str(size)) != str(size):
            await _leave(answer)
            raise DataDamaged(f"site {self.address.site} gives {answer.headers['content-length'][:20]} bytes instead of {size}")
        pieces = self._http.pieces(answer, size)
        return Bytes(size, attributes, after(await anext(pieces, b""), pieces))  # begun, so that it ends when nobody wants it any more

    # --- questions ---

    async def _ask(self, question: str, asked: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._http.ask(question, as_bytes(asked))
                body = await self._http.whole(answer, MOST_ANSWER_BYTES)
                if answer.status_code != 200:
                    raise self._http.error(answer.status_code, body)
        except TimeoutError:
            raise TryAgain(f"site {self.address.site} did not answer within {ANSWER_S:g} s") from None
        try:
            return read(parsed(body))
        except BadInput as error:
            raise DataDamaged(f"site {self.address.site} says what cannot be, about {question}: {error}") from None


def _parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Divided so that each fits into a request."""
    part: list[Any] = []
    size = 0
    for value in values:
        part.append(value)
        size += len(as_bytes(value))
        if size > HOLDS_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _exactly(count: int, value: Any) -> list[Any]:
    found = items(value, "answer")
    if len(found) != count:
        raise BadInput(f"{len(found)} answers to {count} questions")
    return found


def _attributes(answer: Opened) -> dict[str, str]:
    """Those of an object, which may be any text of 2 KiB in all; raises DataDamaged."""
    try:
        found = parsed(base64.b64decode(answer.headers.get("keepsight-attributes", "e30=")[: 1 << 14], validate=True))
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise BadInput("that are no attributes")
    except (ValueError, BadInput):
        raise DataDamaged("the attributes of an object cannot be read") from None
    return found


async def _leave(answer: Opened) -> None:
    """Wants nothing of its body."""
    async with aclosing(cast("Any", answer.pieces)) as pieces:
        await anext(pieces, b"")


def _origin(link: str) -> str:
    try:
        found = urlsplit(link)
    except ValueError:
        return ""
    return f"{found.scheme}://{found.netloc}"
