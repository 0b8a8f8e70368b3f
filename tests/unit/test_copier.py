"""The copier: what it brings here, how it goes on after any death, and what it never does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from replication.copier import Copier
from replication.copy_values import CopyKind, CopySettings
from segments.clock import US_PER_DAY
from segments.errors import Refused, TryAgain
from segments.model import Batch, BatchState, Row, RowPosition
from tests.builders import NOON_US, a_camera
from tests.copy_sites import CopySite, closing_of, footage, two_sites
from tests.fakes import Died, Life
from tests.retention_builders import a_gone, a_hold, a_policy, a_receipt, write_hold, write_policy

ROWS = footage()


async def _end(site: CopySite) -> tuple[object, ...]:
    runs = [await site.index.run("gate", row.run) for row in ROWS[:1]]
    return await site.rows(ROWS[0]), await site.keys(), runs, list(site.folder.iterdir())


async def _life(folder: Path, calls: int | None, settings: CopySettings) -> CopySite:
    """A site whose copier dies at this call of any port, and is followed by another that lives."""
    site = await two_sites(folder, ROWS, life=Life(calls), settings=settings)
    try:
        await site.run(site.copier())
    except* Died:
        pass
    site.life = Life()
    await site.run(site.copier(), least_s=120)
    return site


async def test_what_is_there_is_copied(tmp_path: Path) -> None:
    """Rows, bytes, attributes, the run and its end, in a pool of here; a second look finds nothing to do."""
    site = await two_sites(tmp_path, ROWS)
    copier = site.copier()
    await site.run(copier)

    assert await site.rows(ROWS[0]) == [replace(row, pool="vault") for row in ROWS]
    assert await site.same_as_source(ROWS[0])
    assert await site.keys() == {row.key for row in ROWS} | {closing_of(ROWS[-1])}
    assert await site.wrong_bytes() == []
    assert (await site.objects.head(ROWS[0].key)).attributes == {"version": "1.0", "source": "gate"}
    assert await site.index.run("gate", ROWS[0].run) == await site.source.index.run("gate", ROWS[0].run)
    assert site.kinds() == [CopyKind.COPIED] * 3
    assert {event.position for event in site.events} == {row.position for row in ROWS}


@pytest.mark.parametrize("memory_bytes", [64 << 20, 1000])
async def test_a_copier_may_die_at_any_call(tmp_path: Path, memory_bytes: int) -> None:
    """Killed behind any call of any port, and between the pieces of an object, the next comes to the same end, and leaves no file."""
    settings = CopySettings(at_once=1, memory_bytes=memory_bytes)
    counted = await two_sites(tmp_path / "counted", ROWS, settings=settings)
    await counted.run(counted.copier(), hours=0.05)
    expected = await _end(await _life(tmp_path / "whole", None, settings))
    names = counted.life.calls
    assert {"put", "publish", "put_run", "piece", "digests", "rows"} <= set(names)
    for number in _deaths_that_differ(names):
        assert await _end(await _life(tmp_path / str(number), number, settings)) == expected, f"killed behind {number}, {names[number - 1]}"


def _deaths_that_differ(names: list[str]) -> list[int]:
    """All calls but most of the reading of the archive's buckets, which are 64 at a time."""
    return [number for number, name in enumerate(names, 1) if name != "cameras_in" or number % 29 == 0]


def _flip(row: Row, piece: bytes) -> bytes:
    return piece[:100] + bytes([piece[100] ^ 1]) + piece[101:] if row.counter == 1 else piece


async def test_bytes_that_are_not_what_was_recorded_are_refused(tmp_path: Path) -> None:
    """One bit that changes on the way: that segment is never committed, is named, and comes when its bytes are right; the others come."""
    site = await two_sites(tmp_path, ROWS)
    site.peer.spoils = _flip
    copier = site.copier()
    await site.run(copier)

    assert [row.counter for row in await site.rows(ROWS[0])] == [0, 2]
    assert ROWS[1].key not in await site.keys()
    assert [ROWS[1].key in text and "SHA-256" in text for text in copier.refused.values()] == [True]
    assert CopyKind.REFUSED in site.kinds()

    site.peer.spoils = lambda _, piece: piece
    await site.run(copier, hours=2)
    assert await site.same_as_source(ROWS[0])
    assert copier.refused == {}


async def test_without_verifying_they_would_be_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a copier that believes what comes stores wrong bytes, and the check of the test above goes red."""
    site = await two_sites(tmp_path, ROWS)
    site.peer.spoils = _flip

    async def believing(_self, _row, pieces):
        async for piece in pieces:
            yield piece

    monkeypatch.setattr("replication.copy.SegmentCopy._verified", believing)
    monkeypatch.setattr("segments.stores.memory_objects.read_verified", lambda _key, body, _sha256: body)
    await site.run(site.copier())
    assert await site.wrong_bytes() == [ROWS[1].key]


@pytest.mark.parametrize("change", [{"size": 1}, {"key": ".keepsight/backup/x.sqlite"}, {"camera": "other"}])
async def test_rows_that_make_no_sense_are_refused(tmp_path: Path, change: dict) -> None:
    """A row of another size, key or camera places nothing here; the rows beside it are copied, and other camera-days."""
    site = await two_sites(tmp_path, ROWS)
    yard = footage(camera="yard")
    await site.source.keep(yard)
    inner = site.peer.inner

    class Liar:
        def __getattr__(self, name):
            return getattr(inner, name)

        async def rows(self, camera, day, hours):
            return [
                replace(row, **change) if camera == "gate" and row.counter == 1 else row for row in await inner.rows(camera, day, hours)
            ]

    site.peer.inner = Liar()
    await site.run(site.copier())
    assert [row.counter for row in await site.rows(ROWS[0])] == [0, 2]
    assert ROWS[1].key not in await site.keys()
    assert {key.split("/")[0] for key in await site.keys()} == {"gate", "yard"}
    assert await site.same_as_source(yard[0])


async def test_news_are_copied_at_once(tmp_path: Path) -> None:
    """What is committed there is here after the next round, with when it was committed; the walk need not come by."""
    site = await two_sites(tmp_path, ROWS[:1], ended=False)
    copier = site.copier()
    await site.run(copier, hours=0.1)
    await site.source.keep(ROWS[1:], ended=False, told=True)
    await copier.round()

    assert [row.counter for row in await site.rows(ROWS[0])] == [0, 1, 2]
    assert {event.committed_us for event in site.events} == {0, ROWS[1].end_us, ROWS[2].end_us}


async def test_lost_news_are_found_by_comparing_at_once(tmp_path: Path) -> None:
    """A source that has forgotten what it told is compared with in the same look."""
    site = await two_sites(tmp_path, ROWS[:1], ended=False)
    copier = site.copier()
    await site.run(copier, hours=0.05)
    await site.source.keep(ROWS[1:], ended=False)
    site.source.told.lost = True
    await copier.round()
    assert await site.same_as_source(ROWS[0])


async def test_late_footage_is_found(tmp_path: Path) -> None:
    """What comes to the source days late is here after the next walk, of a camera that no archive knows, and of a day long before."""
    site = await two_sites(tmp_path, ROWS)
    copier = site.copier()
    await site.run(copier)
    late = [footage(start_us=NOON_US - 3 * US_PER_DAY, run="home-a-1-0"), footage(camera="yard", start_us=NOON_US - 20 * US_PER_DAY)]
    for rows in late:
        await site.source.keep(rows)
    await site.run(copier, hours=25, least_s=300)
    assert [await site.same_as_source(rows[0]) for rows in late] == [True, True]


async def test_a_run_that_ends_later_is_closed(tmp_path: Path) -> None:
    """No row changes when a run ends; its closing object comes all the same, also when the copier was begun anew meanwhile."""
    site = await two_sites(tmp_path, ROWS, ended=False)
    await site.run(site.copier(), hours=0.1)
    assert closing_of(ROWS[-1]) not in await site.keys()
    await site.source.end(ROWS)
    await site.run(site.copier(), hours=0.2)
    assert closing_of(ROWS[-1]) in await site.keys()
    assert (await site.index.run("gate", ROWS[0].run)).ended


class Forgetful:
    """The negative control: rules that look at nothing."""

    async def kept(self, camera: str, day: date, rows) -> Collection[RowPosition]:
        """All of it."""
        return {row.position for row in rows}

    async def may_keep(self, camera: str, day: date) -> bool:
        """Some of any."""
        return True

    async def held(self, camera: str, rows) -> Collection[RowPosition]:
        """None of it."""
        return ()


async def _deleted_here(folder: Path, **fields) -> CopySite:
    site = await two_sites(folder, ROWS, **fields)
    await site.index.put_receipt(a_receipt(segments=tuple(a_gone(row) for row in ROWS), day=ROWS[0].day))
    await site.run(site.copier())
    return site


async def test_what_was_deleted_here_does_not_come_back(tmp_path: Path) -> None:
    """A receipt of here names it: it is not asked for, although the source still has it."""
    site = await _deleted_here(tmp_path)
    assert (await site.rows(ROWS[0]), await site.keys(), site.events) == ([], set(), [])


async def test_without_receipts_it_would_come_back(tmp_path: Path) -> None:
    """The negative control: rules that ignore receipts bring it back."""
    site = await _deleted_here(tmp_path, keeping=Forgetful())
    assert len(await site.rows(ROWS[0])) == 3


async def test_what_is_being_deleted_here_does_not_come_back(tmp_path: Path) -> None:
    """Rows of a batch are out of the index and not in a receipt yet."""
    site = await two_sites(tmp_path, ROWS)
    batch = Batch("gate", ROWS[0].day, BatchState.PENDING, NOON_US, since_us=NOON_US)
    await site.index.put_batch(batch, expect=None)
    await site.index.put_batch_rows(batch, ROWS[:2])
    await site.run(site.copier())
    assert await site.rows(ROWS[0]) == []
    assert {event.kind for event in site.events} == {CopyKind.RETRIED}
    assert {event.position for event in site.events} == {ROWS[2].position}


async def test_what_is_past_its_term_here_is_not_asked_for_unless_held(tmp_path: Path) -> None:
    """A site with shorter terms, or one that was set up anew; what a hold of here covers comes all the same."""
    old = footage(start_us=NOON_US - 400 * US_PER_DAY)
    site = await two_sites(tmp_path, old)
    asked: list[str] = []
    site.peer.before = asked.append
    await site.run(site.copier())
    assert await site.rows(old[0]) == []
    assert "digests" in asked
    assert not {"hours", "rows"}.intersection(asked)  # it differs for ever, and costs no more than its digest each time
    await write_hold(site.index, a_hold(start_us=old[1].start_us, end_us=old[1].end_us))
    await site.run(site.copier(), hours=0.2)
    assert [row.counter for row in await site.rows(old[0])] == [1]


async def test_a_segment_that_the_source_deletes_meanwhile_is_let_go(tmp_path: Path) -> None:
    """Its row was seen, its object is gone: the others are copied, and it is not wanted any more."""
    site = await two_sites(tmp_path, ROWS)

    def before(name: str) -> None:
        if name == "read" and ROWS[1].key in site.source.objects._objects:
            del site.source.objects._objects[ROWS[1].key]
            del site.source.index._rows[("gate", ROWS[1].day)][ROWS[1].position]

    site.peer.before = before
    await site.run(site.copier(), hours=2)
    assert [row.counter for row in await site.rows(ROWS[0])] == [0, 2]
    assert site.kinds().count(CopyKind.MISSING) == 1


async def test_a_site_that_is_away_is_asked_one_cheap_thing(tmp_path: Path) -> None:
    """For its news, every five seconds; so copying goes on within as many of its return, with what was wanted when it went."""
    site = await two_sites(tmp_path, ROWS, settings=CopySettings(at_once=1))
    copier = site.copier()
    site.peer.before = lambda name: setattr(site.peer, "away", name == "read")
    await copier.round()
    assert len(copier.wanted()) == 3
    site.peer.before = lambda _: None
    site.peer.away = True
    site.life.calls.clear()
    waits = [await copier.round() for _ in range(8)]
    assert waits[2:] == [5] * 6
    assert set(site.life.calls) <= {"news", "record"}
    assert set(site.kinds()) == {CopyKind.RETRIED, CopyKind.WAITS}

    site.peer.away = False
    site.clock.stand_still(waits[-1])
    await copier.round()
    assert await site.same_as_source(ROWS[0])


async def test_a_site_that_is_too_busy_for_more_is_asked_seldom(tmp_path: Path) -> None:
    """Its news come, and no digests: waits grow to a minute; when they come again, everything is copied."""
    site = await two_sites(tmp_path, ROWS, settings=CopySettings(at_once=1))
    copier = site.copier()

    def before(name: str) -> None:
        if name == "digests":
            raise TryAgain("busy")

    site.peer.before = before
    waits = [await copier.round() for _ in range(8)]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    site.peer.before = lambda _: None
    await site.run(copier)
    assert await site.same_as_source(ROWS[0])


@pytest.mark.parametrize("port", ["put", "publish"])
@pytest.mark.parametrize("error", [TryAgain("slow"), Refused("no"), RuntimeError("a fault of ours")])
async def test_one_segment_that_fails_stops_no_other(tmp_path: Path, port: str, error: Exception) -> None:
    """Whatever fails once, at whatever port, is tried again later, and the others come meanwhile."""
    site = await two_sites(tmp_path, footage(12))
    copier = site.copier()
    copier._parts.pools["vault"].fails[port] = error
    copier._parts.index.fails[port] = error
    await site.run(copier, hours=2)
    assert await site.same_as_source(ROWS[0])


async def test_more_than_fits_is_found_again(tmp_path: Path) -> None:
    """With room for few wishes all is copied in the end, cameras taking turns."""
    site = await two_sites(tmp_path, footage(30), settings=CopySettings(at_once=2, wanted=4))
    yard = footage(30, camera="yard")
    await site.source.keep(yard)
    await site.index.add_camera(a_camera("yard", tier=""))
    await site.run(site.copier(), hours=3)
    assert await site.same_as_source(ROWS[0])
    assert await site.same_as_source(yard[0])


async def test_by_policies_that_contradict_each_other_nothing_is_copied(tmp_path: Path) -> None:
    """It is not known what is to be kept: that is said, and nothing is guessed."""
    site = CopySite(tmp_path)
    await write_policy(site.index, a_policy(version=1, binds_us=NOON_US))
    await write_policy(site.index, a_policy(version=2, binds_us=NOON_US - US_PER_DAY))
    await site.source.keep(ROWS)
    await site.run(site.copier(), hours=0.2)
    assert await site.keys() == set()
    assert all("polic" in event.text for event in site.events)
    assert site.events


async def test_other_content_under_a_key_is_told(tmp_path: Path) -> None:
    """Nothing is overwritten."""
    site = await two_sites(tmp_path, ROWS)
    await site.objects.put(ROWS[0].key, b"other", sha256=hashlib.sha256(b"other").hexdigest(), attributes={})
    copier: Copier = site.copier()
    await site.run(copier)
    assert await site.objects.get(ROWS[0].key) == b"other"
    assert [("taken by other content" in text) for text in copier.refused.values()] == [True]
    assert len(await site.rows(ROWS[0])) == 2


async def test_two_copiers_do_no_harm(tmp_path: Path) -> None:
    """One that lost its lease and does not know it, round by round beside its successor: each segment is here once."""
    site = await two_sites(tmp_path, footage(20))
    one, other = site.copier(), site.copier(folder=tmp_path / "other")
    await asyncio.gather(one.round(), other.round())
    await asyncio.gather(one.round(), other.round())
    assert await site.same_as_source(ROWS[0])
    assert await site.wrong_bytes() == []


async def test_a_run_that_cannot_be_closed_stops_nothing(tmp_path: Path) -> None:
    """The key of its closing object is taken by something: that is told, its segments are copied once, and others' runs are closed."""
    site = await two_sites(tmp_path, ROWS)
    yard = footage(camera="yard")
    await site.source.keep(yard)
    await site.objects.put(closing_of(ROWS[-1]), b"other", sha256=hashlib.sha256(b"other").hexdigest(), attributes={})
    copier = site.copier()
    await site.run(copier)
    assert site.kinds() == [CopyKind.COPIED] * 6
    assert closing_of(yard[-1]) in await site.keys()
    assert await copier.round() <= 2


async def test_footage_of_a_clock_ahead_is_not_done_before_its_row(tmp_path: Path) -> None:
    """It looks as if it were of the future; without an answer of the index it is not counted as copied."""
    ahead = footage(start_us=NOON_US + 2 * 3600_000_000)
    site = await two_sites(tmp_path, ahead)
    copier = site.copier()
    copier._parts.index.fails["publish"] = TryAgain("slow")
    await site.run(copier)
    assert site.kinds().count(CopyKind.RETRIED) == 1
    assert await site.same_as_source(ahead[0])


async def test_a_round_that_is_cut_off_loses_nothing(tmp_path: Path) -> None:
    """Cancelled while segments are under way, the same copier goes on with them."""
    site = await two_sites(tmp_path, footage(12))
    copier = site.copier()
    reached = asyncio.Event()

    async def hangs(_row, _start=0, _end=None):
        reached.set()
        await asyncio.Event().wait()

    site.peer.inner.read, read = hangs, site.peer.inner.read
    cut_off = asyncio.create_task(copier.round())
    await reached.wait()
    cut_off.cancel()
    with suppress(asyncio.CancelledError):
        await cut_off
    site.peer.inner.read = read
    await site.run(copier, hours=0.1)
    assert await site.same_as_source(ROWS[0])
