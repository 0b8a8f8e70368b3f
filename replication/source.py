"""This site as others ask it: `Peer`, answered from index, pools and live edge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import date
from typing import Any, NamedTuple, Protocol, cast

from replication.having import Having, HavingIndex
from replication.own_digests import IndexDigests
from replication.ports import MOST_DAYS, MOST_FOOTAGE_DAYS, MOST_GONE, Bytes, Has, Hello, Named, News
from replication.wire import check_span
from segments.clock import US_PER_DAY, US_PER_HOUR, day_start_us
from segments.damage import known_damaged
from segments.digest import Digest, hour_of
from segments.errors import BadInput, DataDamaged, NotFound, TryAgain
from segments.hold import HOLDS, Hold, Stretch, hold_of
from segments.model import Camera, Footage, Partition, PartitionKind, Row, RowPosition, Run, Span
from segments.ports import CameraChanges, ObjectStore, Page, Partitions, Runs
from segments.timeline import deleted_between, footage_between, footage_of_rows, footage_of_runs, outside, rows_between, runs_between

PIECE_BYTES = 4 << 20


class SourceIndex(HavingIndex, Runs, Partitions, CameraChanges, Protocol):
    """What answering needs of the index."""


class LiveRows(Protocol):
    """Footage that is durable in a spool and not in the index yet. Raises TryAgain where nobody can tell."""

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """Such segments; a row whose bytes are in a spool names no pool."""

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """Bytes of one; raises NotFound once it has left the spool."""


class NewsFeed(Protocol):
    """What is committed at this site, as it happens."""

    async def news(self, after: str) -> News:
        """See `AskFootage`."""


class SiteVoice(Protocol):
    """What this site says of itself, and how it takes what it is told."""

    async def hello(self) -> Hello:
        """See `AskSite`."""

    async def merge_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """See `AskSite.tell_holds`."""

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """See `AskSite`."""

    async def heard_us(self, site: str) -> int:
        """See `AskSite`."""


class NoLiveRows:
    """A site whose live edge is not asked."""

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:  # noqa: ARG002
        """See `LiveRows`."""
        return ()

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:  # noqa: ARG002
        """See `LiveRows`."""
        raise NotFound(f"{camera} has no segment {position.run}.{position.counter} in a spool")


class NoNews:
    """A site that tells nothing by itself: what is new is found by comparing."""

    async def news(self, after: str) -> News:
        """See `NewsFeed`."""
        return News((), after)


class Linked(NamedTuple):
    """What is to be known of a segment's bytes before they are fetched by a link."""

    link: str
    size: int
    attributes: Mapping[str, str]


class Source:
    """See `Peer`. What it is given is believed no more than what it says itself: rows that are read are looked up again."""

    def __init__(
        self,
        index: SourceIndex,
        pools: Mapping[str, ObjectStore],
        voice: SiteVoice,
        *,
        live: LiveRows | None = None,
        news: NewsFeed | None = None,
    ) -> None:
        self._index = index
        self._pools = pools
        self._voice = voice
        self._live = live or NoLiveRows()
        self._news = news or NoNews()
        self._having = Having(index, pools)
        self._own = IndexDigests(index)

    # --- what there is ---

    async def digests(self, days: Sequence[Partition]) -> Sequence[Digest]:
        """See `AskFootage`."""
        if len(days) > MOST_DAYS:
            raise BadInput(f"{len(days)} camera-days; at most {MOST_DAYS} are asked for at once")
        return await self._own.digests(days)

    async def camera_days(self, *, after: str = "", limit: int = MOST_DAYS) -> Page[tuple[Partition, Digest], str]:
        """See `AskFootage`."""
        page = await self._index.partitions(PartitionKind.ROWS, after=after, limit=min(limit, MOST_DAYS))
        found = await self.digests(page.items)
        return Page([pair for pair in zip(page.items, found, strict=True) if pair[1].rows], page.next)

    async def hours(self, camera: str, day: date) -> Sequence[Digest]:
        """See `AskFootage`."""
        return await self._own.hours(camera, day)

    async def rows(self, camera: str, day: date, hours: Collection[int]) -> Sequence[Row]:
        """See `AskFootage`."""
        if not hours:
            return []
        reach = Span(*(day_start_us(day) + hour * US_PER_HOUR for hour in (min(hours), max(hours) + 1)))
        wanted = set(hours)
        return [row for row in await self._rows(camera, day, reach) if hour_of(row) in wanted]

    async def _rows(self, camera: str, day: date, reach: Span) -> list[Row]:
        """The rows of a camera-day from the start of `reach` on, to behind its end."""
        after: RowPosition | None = RowPosition(reach.start_us, "", -1)
        found: list[Row] = []
        while after is not None:
            page = await self._index.rows(camera, day, after=after)
            found += page.items
            after = page.next if page.items and page.items[-1].start_us < reach.end_us else None
        return found

    async def run(self, camera: str, run_id: str) -> Run:
        """See `AskFootage`."""
        return await self._index.run(camera, run_id)

    async def between(self, camera: str, span: Span) -> Sequence[tuple[Row, Run]]:
        """See `AskFootage`. The live edge is asked before the index: what is indexed in between is there."""
        check_span(span)
        live = await self._live_segments(camera, span)
        found: dict[RowPosition, tuple[Row, Run]] = {}
        runs: dict[str, Run] = {}
        for row in await rows_between(self._index, camera, span):
            if row.run not in runs:
                runs[row.run] = await self._index.run(camera, row.run)
            found[row.position] = (row, runs[row.run])
        for row, run in live:
            found.setdefault(row.position, (row, run))
        return [found[position] for position in sorted(found)]

    async def footage(self, camera: str, span: Span) -> Sequence[Footage]:
        """See `AskFootage`. The live edge first, as for `between`."""
        check_span(span, days=MOST_FOOTAGE_DAYS)
        live = footage_of_rows(row for row, _ in await self._live_segments(camera, span))
        if span.end_us - span.start_us <= US_PER_DAY:
            return sorted({*await footage_between(self._index, camera, span), *live})
        runs = await runs_between(self._index, camera, span)
        return sorted({*outside(footage_of_runs(runs), await deleted_between(self._index, camera, span)), *live})

    async def _live_segments(self, camera: str, span: Span) -> list[tuple[Row, Run]]:
        """What the live edge has of a span; nothing where nobody can tell."""
        live: Sequence[tuple[Row, Run]] = ()
        with suppress(TryAgain):
            live = await self._live.segments(camera)
        return [(row, run) for row, run in live if row.start_us < span.end_us and row.end_us > span.start_us]

    async def news(self, after: str) -> News:
        """See `AskFootage`."""
        return await self._news.news(after)

    # --- bytes ---

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`. The object of that place and hash, wherever it lies here by now.

        Raises DataDamaged if it has another size, or is known to be damaged.
        """
        known = await self._known(row)
        begin, stop = min(start, row.size), min(row.size, row.size if end is None else end)
        size = max(0, stop - begin)
        if known is None:
            pieces = self._live_pieces(row, begin, begin + size)
            return Bytes(size, {}, after(await anext(pieces, b""), pieces))
        attributes = await self._checked(known)
        return Bytes(size, attributes, self._pool(known).stream(known.key, begin, begin + size))

    async def linked(self, row: Row, accepted: Collection[str], seconds: int) -> Linked | None:
        """A link to these bytes whose origin is accepted, or None; raises as `read`."""
        known = await self._known(row)
        link = None if known is None else await self._pool(known).link(known.key, known.version, seconds)
        if known is None or link is None or not any(link.startswith(f"{origin}/") for origin in accepted):
            return None
        return Linked(link, known.size, await self._checked(known))

    async def has(self, camera: str, day: date, named: Sequence[Named]) -> Sequence[Has]:
        """See `AskFootage`."""
        return await self._having.has(camera, day, named)

    async def _known(self, row: Row) -> Row | None:
        """Our row of that place and hash; None for footage that can only be in a spool. Raises NotFound."""
        try:
            known = await self._index.row(row.camera, row.position)
        except NotFound:
            return None
        if row.sha256 and known.sha256 != row.sha256:
            raise NotFound(f"{row.key} has other content here")
        return known

    async def _checked(self, row: Row) -> Mapping[str, str]:
        """The attributes of an object that has the size of its row and is not known to be damaged; raises NotFound, DataDamaged."""
        if row.key in await known_damaged(self._index, row.camera):
            raise DataDamaged(f"{row.key} is known to be damaged here")
        info = await self._pool(row).head(row.key)
        if info.size != row.size:
            raise DataDamaged(f"{row.key} has {info.size} bytes instead of {row.size}")
        return info.attributes

    def _pool(self, row: Row) -> ObjectStore:
        if row.pool not in self._pools:
            raise NotFound(f"{row.key}: its pool {row.pool!r} is not configured here")
        return self._pools[row.pool]

    async def _live_pieces(self, row: Row, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            piece = await self._live.read(row.camera, row.position, start, min(end, start + PIECE_BYTES))
            if not piece:
                return
            yield piece
            start += len(piece)

    # --- the site ---

    async def hello(self) -> Hello:
        """See `AskSite`."""
        return await self._voice.hello()

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `AskSite`."""
        return await self._index.camera_stamps()

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `AskSite`."""
        return [camera for camera in await self._index.cameras_in(bucket) if not camera.home]

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `AskSite`. Of cameras that are at home here."""
        ours = {camera.id for camera in await self.cameras_in(bucket)}
        return {camera: sealed for camera, sealed in (await self._index.credentials_in(bucket)).items() if camera in ours}

    async def holds(self) -> Sequence[Hold]:
        """See `AskSite`."""
        return [hold_of(record) for record in await self._index.records(HOLDS)]

    async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """See `AskSite`."""
        gone = await self._voice.merge_holds(holds)
        return None if gone is None else gone[:MOST_GONE]

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """See `AskSite`."""
        return await self._voice.taken_over(site)

    async def heard_us(self, site: str) -> int:
        """See `AskSite`."""
        return await self._voice.heard_us(site)

    async def close(self) -> None:
        """See `Peer`. Index and pools are another's to close."""


async def after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A piece that was read ahead, and those behind it; who leaves early lets go of what gives them, at once."""
    async with aclosing(cast("Any", rest)):
        if first:
            yield first
        async for piece in rest:
            yield piece
