"""What retention's part of the index in Cassandra keeps although writers race, answers get lost and writes come late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.errors import Conflict, DataDamaged, Unknown
from segments.model import Batch, BatchState, Row, Span
from segments.receipt import Receipt, checked
from segments.stores import cassandra_footage, cassandra_receipts, cassandra_retention
from segments.stores.cassandra_index import CassandraIndex, open_cassandra_index
from segments.stores.cassandra_session import CassandraSession
from tests.builders import NOON_US, a_batch, a_row, some_fragments, some_rows
from tests.faults.lost_answers import LosingSession
from tests.retention_builders import a_gone, a_receipt, a_record, sha256_of
from tests.servers.cassandra import CassandraServer

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)
CHAIN = a_receipt().chain
Doors = tuple[CassandraSession, CassandraSession]
Losing = tuple[CassandraIndex, LosingSession]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def doors(cassandra: CassandraServer) -> AsyncIterator[Doors]:
    """Two sessions of one keyspace."""
    settings = await cassandra.new_keyspace()
    opened = [await open_cassandra_index(settings) for _ in range(2)]
    yield opened[0]._session, opened[1]._session
    for index in opened:
        await index.close()


@pytest.fixture
def index(doors: Doors, cassandra: CassandraServer) -> CassandraIndex:
    """An empty index."""
    cassandra.empty(doors[0].settings.keyspace)
    return CassandraIndex(doors[0])


@pytest.fixture
def second(doors: Doors) -> CassandraIndex:
    """Another process of it."""
    return CassandraIndex(doors[1])


@pytest.fixture
def losing(doors: Doors, index: CassandraIndex) -> Losing:
    """A third, whose answers get lost."""
    session: Any = LosingSession(doors[0])
    return CassandraIndex(session), session


# --- records -------------------------------------------------------------------------------------------------------------


async def race(index: CassandraIndex, second: CassandraIndex) -> tuple[int, int]:
    """Ten revisions of a record, twelve writers each, who all say something else: how many writes won, and how many others did not."""
    won = lost = 0
    for revision in range(1, 11):
        tries = [(index, second)[n % 2].put_record(a_record(revision=revision, text=f'{{"n":{n}}}')) for n in range(12)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        winners = [n for n, result in enumerate(results) if result is None]
        won += len(winners)
        lost += sum(isinstance(result, Conflict) for result in results)
        assert (await second.record("note", "n1")).text in [f'{{"n":{n}}}' for n in winners]
    return won, lost


async def test_of_many_who_write_one_revision_one_wins(index: CassandraIndex, second: CassandraIndex) -> None:
    """Each revision is written once, the winner's is read, and all others are told."""
    assert await race(index, second) == (10, 110)


async def test_without_the_condition_many_win(index: CassandraIndex, second: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: where only the record's being there is asked, all who come after the first revision believe that they won."""
    loose = cassandra_retention._NEXT_RECORD.replace("IF revision = ?", "IF revision < 1000")

    async def follow(self: CassandraIndex, record: Any) -> bool:
        values = (record.text, record.revision, record.kind, record.id)
        return await self._session.compare_and_set(cassandra_retention._FIRST_RECORD if record.revision == 1 else loose, values)

    monkeypatch.setattr(CassandraIndex, "_follow", follow)
    assert (await race(index, second))[0] > 10


async def test_a_record_whose_answer_was_lost(losing: Losing, second: CassandraIndex) -> None:
    """It is there: done. Another's is there: Conflict. All is as before, or changed since: Unknown, since nobody can tell."""
    index, session = losing
    first = a_record()
    session.lose("record", done=True)
    await index.put_record(first)
    session.lose("record", done=True)
    await index.put_record(first.changed({"said": "more"}))
    assert await second.record("note", "n1") == first.changed({"said": "more"})

    other, ours = (first._replace(revision=3, text=f'{{"by":"{name}"}}') for name in ("other", "us"))
    session.lose("record", done=False, meanwhile=lambda: second.put_record(other))
    with pytest.raises(Conflict, match="at revision 3 now"):
        await index.put_record(ours)

    ours = other.changed({"by": "us"})
    session.lose("record", done=False)
    with pytest.raises(Unknown):
        await index.put_record(ours)
    session.lose("record", done=True, meanwhile=lambda: second.put_record(ours.changed({"by": "other"})))
    with pytest.raises(Unknown):
        await index.put_record(ours)
    assert (await index.record("note", "n1")).revision == 5


# --- receipts ------------------------------------------------------------------------------------------------------------


async def add_receipts(index: CassandraIndex, place: str, count: int) -> None:
    """Adds receipts at the end of the chain, each after the one that was last, until all are in."""
    left = count
    while left:
        last = await index.last_receipt(CHAIN)
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        try:
            await index.put_receipt(a_receipt(number=number, previous=previous, place=place))
        except Conflict:
            continue
        left -= 1


async def exported(index: CassandraIndex) -> list[Receipt]:
    """The whole chain, as its pages give it, checked as an export is."""
    found: list[Receipt] = []
    after: int | None = 0
    while after is not None:
        page = await index.receipt_chain(CHAIN, after=after, limit=3)
        found += page.items
        after = page.next
    assert list(checked(receipt.text for receipt in found)) == found
    return found


async def written_by_two(index: CassandraIndex, second: CassandraIndex) -> list[Receipt]:
    """A chain that two sweeps believe to be theirs, with eight receipts of each: it has all of them."""
    await asyncio.gather(add_receipts(index, "one", 8), add_receipts(second, "two", 8))
    found = await exported(index)
    assert [receipt.number for receipt in found] == list(range(1, 17))
    assert sorted(receipt.place for receipt in found) == ["one"] * 8 + ["two"] * 8
    return found


async def test_a_chain_stays_whole_when_two_write_it(
    index: CassandraIndex, second: CassandraIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number is given once, each receipt names the one before it, over all pages, and nothing else is ever shown."""
    monkeypatch.setattr(cassandra_receipts, "PAGE_RECEIPTS", 4)
    found = await written_by_two(index, second)
    assert await index.last_receipt(CHAIN) == found[-1]
    assert await index.receipts("gate", MONTH) == found
    assert await index.receipt_chains() == [CHAIN]
    await index.put_receipt(found[2])
    assert await exported(second) == found


async def test_a_chain_without_the_condition_breaks(index: CassandraIndex, second: CassandraIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: where a number is given to all who ask, the chain is not whole."""

    async def take(self: CassandraIndex, chain: str, number: int, digest: bytes) -> bool:
        await self._session.write(cassandra_receipts._TAKE.replace(" IF NOT EXISTS", ""), (chain, 0, number, digest))
        return True

    monkeypatch.setattr(CassandraIndex, "_take", take)
    with pytest.raises(AssertionError):
        await written_by_two(index, second)


async def test_a_receipt_whose_answer_was_lost(losing: Losing, second: CassandraIndex) -> None:
    """Nobody has its number: Unknown, and nothing is shown. It is in the chain: done. Another has the number: Conflict."""
    index, session = losing
    first, ours, other = a_receipt(), *(a_receipt(number=2, previous=a_receipt().digest, place=place) for place in ("us", "other"))
    session.lose("receipt_chain", done=False)
    with pytest.raises(Unknown):
        await index.put_receipt(first)
    assert (await index.receipt_chains(), await index.last_receipt(CHAIN), await index.receipts("gate", MONTH)) == ([], None, [])
    session.lose("receipt_chain", done=True)
    await index.put_receipt(first)
    assert await index.last_receipt(CHAIN) == first
    session.lose("receipt_chain", done=False, meanwhile=lambda: second.put_receipt(other))
    with pytest.raises(Conflict, match="another receipt 2"):
        await index.put_receipt(ours)
    assert await index.receipts("gate", MONTH) == [first, other]
    await second.put_receipt(third := replace(ours, number=3, previous=other.digest))
    assert await index.last_receipt(CHAIN) == third


async def test_a_refused_receipt_leaves_nothing(index: CassandraIndex, second: CassandraIndex) -> None:
    """Where another has the number, neither text nor time of it is left behind."""
    await second.put_receipt(a_receipt())
    hour_later = a_gone(a_row(start_us=NOON_US + 3600 * US_PER_S, end_us=NOON_US + 3660 * US_PER_S))
    with pytest.raises(Conflict):
        await index.put_receipt(a_receipt(segments=(hour_later,)))
    assert await index.deleted("gate", MONTH) == a_receipt().spans
    for table in ("receipt", "receipt_of_month", "receipt_chain"):
        assert len(await index._session.scan(f"SELECT number FROM {table}")) == 1


async def test_a_receipt_of_the_shortest_segments(index: CassandraIndex) -> None:
    """A day of segments of two seconds, the most there can be: its text is laid down in parts, each below what a server takes at once."""
    segments = tuple(
        a_gone(key=f"gate/{n:06}", sha256=sha256_of(f"s{n}"), version=sha256_of(f"v{n}")[:32], start_us=NOON_US + n, end_us=NOON_US + n + 1)
        for n in range(43_200)
    )
    receipt = a_receipt(segments=segments)
    await index.put_receipt(receipt)
    assert await index.last_receipt(CHAIN) == receipt
    assert await index.deleted("gate", MONTH) == [Span(NOON_US, NOON_US + 43_200)]
    assert len(await index._session.scan("SELECT part FROM receipt")) > 1


async def test_a_receipt_that_is_not_whole_is_said(index: CassandraIndex) -> None:
    """A part that was lost is found by the digest in the chain."""
    await index.put_receipt(a_receipt())
    digest = bytes.fromhex(a_receipt().digest)
    await index._session.write(cassandra_receipts._REMOVE_PARTS, (CHAIN, 1, digest))
    with pytest.raises(DataDamaged, match="no whole receipt 1"):
        await index.last_receipt(CHAIN)


# --- rows out ------------------------------------------------------------------------------------------------------------


Arrive = Callable[[Row, int], Awaitable[None]]


@pytest.fixture
def arrive(doors: Doors, cassandra: CassandraServer) -> Arrive:
    """Lets a row arrive that was sent at a moment before."""
    insert = cassandra_footage.PUT_ROW.replace("INTO ", f"INTO {doors[0].settings.keyspace}.") + " USING TIMESTAMP ?"
    prepared = cassandra.session.prepare(insert)

    async def arriving(row: Row, sent_us: int) -> None:
        cassandra.session.execute(prepared, (*cassandra_footage.row_values(row), sent_us))

    return arriving


async def listed(index: CassandraIndex) -> Batch:
    """A batch of the camera-day, listed now."""
    batch = a_batch(state=BatchState.LISTED, listed_us=index._session.now_us())
    await index.put_batch(batch, expect=None)
    return batch


@pytest.mark.parametrize("whole", [True, False])
async def test_what_comes_late_stays_unseen_and_what_comes_later_stays(index: CassandraIndex, arrive: Arrive, whole: bool) -> None:
    """Of a listed batch: rows go; one sent before arrives unseen; one published again later stays, also when the call is repeated."""
    late, again, gone, beside = some_rows(4)
    await index.publish_many([again, gone] if whole else [again, gone, beside])
    batch = await listed(index)
    doomed = None if whole else [row.position for row in (late, again, gone)]
    await index.unpublish(batch, doomed)
    left = [] if whole else [beside]
    assert (await index.rows("gate", DAY)).items == left
    await arrive(late, batch.listed_us)
    assert (await index.rows("gate", DAY)).items == left
    await index.publish_many([again])
    await index.unpublish(batch, doomed)
    assert (await index.rows("gate", DAY)).items == [again, *left]


async def test_a_deletion_of_the_present_moment_hides_what_was_given_back(index: CassandraIndex) -> None:
    """The negative control: were the deletion's time that of its call, a call that comes late would hide rows published again."""
    batch = await listed(index)
    await index.publish(a_row())
    await index.unpublish(replace(batch, listed_us=index._session.now_us()), None)
    assert (await index.rows("gate", DAY)).items == []


async def test_a_long_day_goes_by_rows(index: CassandraIndex) -> None:
    """A day of which six minutes are held: several requests, and the minutes stay."""
    rows = some_rows(1440, start_us=NOON_US - US_PER_DAY // 2)
    await index.publish_many(rows)
    batch = await listed(index)
    await index.put_batch_rows(batch, rows[6:])
    await index.unpublish(batch, [row.position for row in rows[6:]])
    assert (await index.rows("gate", DAY)).items == rows[:6]
    found = await index.batch_rows(batch, limit=10_000)
    assert (found.items, found.next) == (rows[6:], None)


async def test_rows_of_a_batch_are_a_few_values_however_many_they_are(index: CassandraIndex) -> None:
    """A day of 1,440 segments is three of them, and one of six minutes is one; damage in one of them is said."""
    rows = some_rows(1440, start_us=NOON_US - US_PER_DAY // 2, fragments=some_fragments(60))
    await index.put_batch_rows(a_batch(), rows)
    await index.put_batch_rows(a_batch(camera="yard"), some_rows(6, camera="yard"))
    bodies = await index._session.scan("SELECT camera, last_us, digest, body FROM batch_rows")
    assert Counter(camera for camera, *_ in bodies) == {"gate": 3, "yard": 1}
    _, last_us, digest, body = next(values for values in bodies if values[0] == "yard")
    await index._session.write(cassandra_retention._PUT_BATCH_ROWS, ("yard", DAY, a_batch().decided_us, last_us, digest, body[:-1]))
    with pytest.raises(DataDamaged, match="the batch of yard"):
        await index.batch_rows(a_batch(camera="yard"))
    assert len((await index.batch_rows(a_batch(), limit=10_000)).items) == 1440
