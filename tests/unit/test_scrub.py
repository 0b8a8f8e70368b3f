"""The scrub of a shard: everything is looked at each day and read once in a cycle, what is wrong is named until it is right."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from replication.receipt_check import NONE, check_chain
from replication.scrub import IDLE_S, is_turn
from replication.scrub_progress import ALL, FIRST, Place, Progress, Tally, Walk, all_progress, read_progress, write_progress
from segments import damage as damage_module
from segments.clock import US_PER_DAY
from segments.damage import MOST_NAMED, damaged_of, known_damaged, note_damage
from segments.duty import Duty
from segments.errors import Refused, TryAgain
from segments.keys import SegmentKey
from segments.model import Row, RowPosition
from segments.receipt import Receipt
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_batch, a_row, some_rows
from tests.clocks import HandClock
from tests.fakes import Died, Life
from tests.retention_builders import a_gone, a_hold, a_receipt, write_hold
from tests.scrub_site import DUTY, ScrubSite, a_scrub_site, body_of


async def scrubbed(site: ScrubSite, rounds: int = 1) -> Progress:
    """Some rounds of one process; what is noted then."""
    scrub = site.scrub()
    for _ in range(rounds):
        await scrub.round()
    return await read_progress(site.index, str(DUTY))


def days_of(count: int) -> list[Row]:
    """A segment of each of so many days."""
    return [a_row(start_us=NOON_US - n * US_PER_DAY, run=f"home-a-1-{n + 1}", version="") for n in range(count)]


async def test_all_is_found_and_healed(tmp_path: Path) -> None:
    """Removals and cuts in the first round; other bytes of the same size when their camera-day has its turn. Then nothing is named."""
    site, rows = await a_scrub_site(tmp_path)
    site.objects.lose(rows[0].key)
    site.objects.damage(rows[1].key, b"short")
    site.objects.damage(rows[2].key, b"x" * rows[2].size)

    first = await scrubbed(site)
    site.clock.move(15 * 86_400)
    second = await scrubbed(site)

    assert first.tally.found >= 2
    assert (second.tally.found, second.tally.healed, second.tally.hashed) == (3, 3, 6)
    assert await site.wrong(rows) == []
    assert await site.damage() == []


async def test_what_cannot_be_healed_is_named_until_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With camera, moment and reason, since when it was found; it is told once, not served meanwhile, and healed when another site can."""
    site, rows = await a_scrub_site(tmp_path)
    peers, site.peers = site.peers, {}
    site.objects.lose(rows[0].key)
    found_us = site.clock.now_us()
    await scrubbed(site)
    site.clock.move(86_400)
    tally = (await scrubbed(site)).tally
    (named,) = await site.damage()

    assert (named.camera, named.start_us, named.key) == ("gate", rows[0].start_us, rows[0].key)
    assert named.reason == "there is no object; no other site is configured"
    assert found_us <= named.since_us < found_us + US_PER_DAY
    assert (tally.found, tally.healed) == (1, 0)
    assert await known_damaged(site.index, "gate") == {rows[0].key}
    assert await known_damaged(site.index, "yard") == frozenset()
    assert [record.levelno for record in caplog.records if "scrub.damaged" in record.msg] == [logging.ERROR]

    site.peers = peers
    assert (await scrubbed(site)).tally.healed == 1
    assert await site.damage() == []


async def test_damage_of_deleted_footage_is_forgotten(tmp_path: Path) -> None:
    """Under a batch it stays named; with its row it goes."""
    site, rows = await a_scrub_site(tmp_path)
    await note_damage(site.index, [damaged_of(rows[0], "there is no object", 1), damaged_of(a_row(counter=77), "was there", 1)])
    await site.index.put_batch(a_batch(), expect=None)
    await scrubbed(site)
    assert [each.key for each in await site.damage()] == [rows[0].key]


async def test_camera_days_on_their_way_out_are_left_alone(tmp_path: Path) -> None:
    """Their objects go, and nothing is named."""
    site, rows = await a_scrub_site(tmp_path)
    site.objects.lose(rows[0].key)
    await site.index.put_batch(a_batch(), expect=None)
    progress = await scrubbed(site)
    assert (progress.tally, await site.damage()) == (Tally(), [])


async def test_it_may_die_after_any_call(tmp_path: Path) -> None:
    """Whatever the last call of a scrub was, the next process ends it: all is healed, nothing stays named, the row names its object."""
    calls, died = 1, True
    while died:
        site, rows = await a_scrub_site(tmp_path, life=Life(calls))
        site.objects.lose(rows[0].key)
        site.objects.damage(rows[1].key, b"short")
        died = False
        try:
            await scrubbed(site)
        except Died:
            died = True
        site.life = Life()
        await scrubbed(site)
        assert await site.wrong(rows) == []
        assert await site.damage() == []
        calls += 7
    assert calls > 30


async def test_everything_is_read_once_in_a_cycle_and_evidence_twice(tmp_path: Path) -> None:
    """Counted over two cycles of 30 days of a camera with 20 camera-days, one of which is held."""
    site, rows = await a_scrub_site(tmp_path, days_of(20))
    held = rows[7]
    await write_hold(site.index, a_hold(start_us=held.start_us, end_us=held.end_us))
    for _ in range(60):
        await scrubbed(site)
        site.clock.move(86_400)

    assert Counter(site.objects.read) == {row.key: 4 if row == held else 2 for row in rows}
    assert (await read_progress(site.index, str(DUTY))).looked.number == 60


def test_every_second_walk_is_a_turn() -> None:
    """Of any two walks that follow each other one reads a camera-day; which, differs from one to the next."""
    places = [Place(row.day.replace(day=1), 0, "gate", row.day) for row in days_of(40)]
    assert all(is_turn(place, walk) != is_turn(place, walk + 1) for place in places for walk in range(1, 4))
    assert 10 < sum(is_turn(place, 1) for place in places) < 30


async def test_it_reads_no_faster_than_its_budget(tmp_path: Path) -> None:
    """And goes on with the next row after a restart, in the middle of a camera-day."""
    site, rows = await a_scrub_site(tmp_path, some_rows(60, version=""))
    site.per_s = rows[0].size / 10  # a segment in ten seconds
    await write_hold(site.index, a_hold())
    hashed = [(await scrubbed(site)).tally.hashed for _ in range(14)]

    assert hashed[0] == 8
    assert hashed[-1] == 60
    assert sorted(hashed) == hashed
    assert site.clock.passed_ns / 1e9 > 500


async def test_shards_share_the_cameras(tmp_path: Path) -> None:
    """Two shards look at all of them, each at its own."""
    rows = [row for camera in "abcdefgh" for row in some_rows(1, camera=camera, version="")]
    site, rows = await a_scrub_site(tmp_path, rows)
    for row in rows:
        site.objects.lose(row.key)
    for shard in range(2):
        await site.scrub(Duty("scrub", shard, 2)).round()
    found = [progress.tally.healed for progress in await all_progress(site.index)]
    assert sum(found) == 8
    assert min(found) > 0


async def test_when_all_is_done_it_waits(tmp_path: Path) -> None:
    """A minute, until the next walk begins."""
    site, _ = await a_scrub_site(tmp_path)
    assert await site.scrub().round() == IDLE_S


async def test_more_than_a_report_names_is_healed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera-day that is lost whole, where a check names three of its segments at a time."""
    monkeypatch.setattr("segments.verify.MAX_FINDINGS", 3)
    site, rows = await a_scrub_site(tmp_path, some_rows(10, version=""))
    for row in rows:
        site.objects.lose(row.key)
    assert (await scrubbed(site)).tally.healed == 10


# --- objects without rows


async def test_an_object_that_lost_its_row_gets_it_back(tmp_path: Path) -> None:
    """Unless a receipt says that it is gone: then it is told, and stays without."""
    site, _ = await a_scrub_site(tmp_path)
    lost, gone = some_rows(2, start_us=NOON_US + 3_600_000_000, counter=100, version="")
    for row in (lost, gone):
        body = body_of(row)
        await site.objects.put(row.key, body, sha256=hashlib.sha256(body).hexdigest(), attributes={})
    await site.index.put_receipt(a_receipt(segments=(a_gone(gone),)))
    adopted: list[str] = []

    async def adopt(pool: object, index: object, clock: object, keys: list[str]) -> object:
        adopted.extend(keys)
        return type("Report", (), {"rows": len(keys), "examples": ()})()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("replication.mend.adopt", adopt)
        assert (await scrubbed(site)).tally.adopted == 1
    assert adopted == [lost.key]


async def test_a_second_copy_is_left_alone(tmp_path: Path) -> None:
    """An object whose place has a row that names another pool: the row stays as it is."""
    site, rows = await a_scrub_site(tmp_path)
    elsewhere = replace(rows[0], pool="other")
    await site.index.publish(elsewhere)
    assert (await scrubbed(site)).tally.adopted == 0
    assert await site.index.row("gate", rows[0].position) == elsewhere


# --- pools


async def test_a_pool_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    """Nothing of it is named as damaged, and the others are gone through."""
    site, _ = await a_scrub_site(tmp_path)

    async def away(*_: object, **__: object) -> None:
        raise TryAgain("nobody there")

    for name in ("list", "head", "delete"):
        setattr(site.objects, name, away)
    await write_hold(site.index, a_hold())
    site.objects.stream = lambda *_: _Broken()
    progress = await scrubbed(site)
    assert (progress.tally, progress.looked.at, await site.damage()) == (Tally(), None, [])


class _Broken:
    """A stream that breaks off."""

    def __aiter__(self) -> _Broken:
        return self

    async def __anext__(self) -> bytes:
        raise TryAgain("nobody there")


async def test_known_damage_waits_for_its_pool(tmp_path: Path) -> None:
    """While a pool is away, known damage in it stays named as it was, and the pool is waited for once."""
    site, rows = await a_scrub_site(tmp_path, some_rows(40, version=""))
    await note_damage(site.index, [damaged_of(row, "there is no object", 1) for row in rows])

    async def away(*_: object, **__: object) -> None:
        raise TryAgain("nobody there")

    site.objects.head = site.objects.list = away
    await site.index.put_usage("gate", rows[0].day, {})
    await scrubbed(site)
    assert {each.reason for each in await site.damage()} == {"there is no object"}
    assert len(await site.damage()) == 40
    assert site.clock.passed_ns / 1e9 < 120


@pytest.mark.parametrize("call", ["head", "delete", "put"])
async def test_a_refusal_is_the_reason(tmp_path: Path, call: str) -> None:
    """Whichever call the store refuses: the segment is named with it, and the scrub goes on."""
    site, rows = await a_scrub_site(tmp_path)
    site.objects.damage(rows[1].key, b"short")
    await note_damage(site.index, [damaged_of(rows[1], "short", 1)])

    async def refused(*_: object, **__: object) -> None:
        raise Refused("403")

    setattr(site.objects, call, refused)
    assert (await scrubbed(site)).looked.at is None
    (named,) = await site.damage()
    assert named.reason.endswith("403")


# --- receipts


def chain_of(count: int) -> list[Receipt]:
    """Receipts that follow each other."""
    found: list[Receipt] = []
    for number in range(1, count + 1):
        found.append(a_receipt(number=number, previous=found[-1].digest if found else ""))
    return found


async def index_with(receipts: list[Receipt]) -> MemoryIndex:
    """An index with these receipts."""
    index = MemoryIndex()
    for receipt in receipts:
        await index.put_receipt(receipt)
    return index


async def test_a_chain_that_holds_is_followed_to_its_end() -> None:
    """From its beginning, and from where it was checked before."""
    receipts = chain_of(5)
    index, clock = await index_with(receipts), HandClock()
    three = await check_chain(await index_with(receipts[:3]), "sweep.0-of-1", None, clock)
    assert (three[0].number, three[1]) == (3, "")
    assert await check_chain(index, "sweep.0-of-1", three[0], clock) == await check_chain(index, "sweep.0-of-1", None, clock)


@pytest.mark.parametrize("at", [1, 2, 4, 5])
async def test_a_changed_receipt_is_found(at: int) -> None:
    """Wherever it is in what was checked before, or behind that; from the beginning all but the very last one."""
    receipts, clock = chain_of(5), HandClock()
    head, _ = await check_chain(await index_with(receipts[:5]), "sweep.0-of-1", None, clock)
    forged = [replace(each, policy=9) if each.number == at else each for each in receipts]
    _, whole = await check_chain(await index_with(forged), "sweep.0-of-1", None, clock)
    _, last = await check_chain(await index_with(forged), "sweep.0-of-1", head, clock)
    assert bool(whole) == (at < 5)
    assert bool(last) == (at == 5)


async def test_a_chain_that_was_cut_off_is_found() -> None:
    """It ends before where it was; and one with a receipt left out goes on too soon."""
    receipts, clock = chain_of(5), HandClock()
    head, _ = await check_chain(await index_with(receipts), "sweep.0-of-1", None, clock)
    assert await check_chain(await index_with(receipts[:3]), "sweep.0-of-1", head, clock) == (
        NONE,
        "it does not go to 5 any more, where it ended when it was checked before",
    )
    without = [each for each in receipts if each.number != 3]
    assert (await check_chain(await index_with(without), "sweep.0-of-1", None, clock))[1] == "it goes from 2 to 4"


async def test_chains_are_checked_each_day(tmp_path: Path) -> None:
    """What is wrong is noted, until it is right."""
    site, _ = await a_scrub_site(tmp_path)
    for receipt in [each for each in chain_of(4) if each.number != 2]:
        await site.index.put_receipt(receipt)
    assert (await scrubbed(site)).faults == {"sweep.0-of-1": "it goes from 1 to 3"}
    await site.index.put_receipt(chain_of(2)[1])
    assert (await scrubbed(site)).faults != {}
    site.clock.move(86_400)
    progress = await scrubbed(site)
    assert (progress.faults, progress.heads["sweep.0-of-1"].number) == ({}, 4)


# --- what is noted


async def test_progress_is_read_as_it_was_written() -> None:
    """With a place in the middle of a camera-day, and one before all there is."""
    index = MemoryIndex()
    at = Place(a_row().day.replace(day=1), 3, "gate", a_row().day, RowPosition(5, "r", 1))
    progress = Progress("scrub.0-of-1", 7, Walk(2, 1, 1, at), Walk(1, 1, 0, FIRST), Tally(1, 2, 3, 4, 5), 9, {"c": NONE}, {"c": "bad"})
    await write_progress(index, progress)
    await write_progress(index, progress)
    assert await read_progress(index, "scrub.0-of-1") == progress


async def test_damage_named_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of a bucket stay named; there is room again when one is over."""
    monkeypatch.setattr(damage_module, "MOST_NAMED", 3)
    index, found = MemoryIndex(), [damaged_of(row, "lost", 1) for row in some_rows(5)]
    await note_damage(index, found)
    assert await known_damaged(index, "gate") == {each.key for each in found[:3]}
    await note_damage(index, found[3:], over=[found[0].key])
    assert await known_damaged(index, "gate") == {each.key for each in found[1:4]}
    assert MOST_NAMED == 200


async def test_an_end_of_a_run_is_no_footage(tmp_path: Path) -> None:
    """The empty object that closed an unknown run does not stop a scrub."""
    site, _ = await a_scrub_site(tmp_path)
    key = str(SegmentKey("gate", "home-a-9-9", NOON_US, 1, is_end=True))
    await site.objects.put(key, b"", sha256=hashlib.sha256(b"").hexdigest(), attributes={})
    first = await scrubbed(site)
    assert (first.looked.at, first.tally.adopted) == (first.looked.at and first.looked.at._replace(after=ALL), 0)
    assert (await scrubbed(site)).looked.at is None


async def test_a_pool_that_refuses_is_left_out(tmp_path: Path) -> None:
    """A key that was withdrawn is told, and is no damage."""
    site, _ = await a_scrub_site(tmp_path)

    async def refused(*_: object, **__: object) -> None:
        raise Refused("403")

    site.objects.list = refused
    assert (await scrubbed(site)).tally.found == 0
