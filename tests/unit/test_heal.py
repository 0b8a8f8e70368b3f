"""Healing one segment: nothing is touched before good bytes are here, and whoever dies on the way leaves what the next can go on with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replication.heal import UNREADABLE_US, Healer, Outcome
from replication.ports import Bytes
from segments.errors import DataDamaged, NotFound, TryAgain
from segments.model import Row
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.builders import a_batch
from tests.fakes import Died, Life, SwitchedObjects
from tests.scrub_site import ScrubSite, Shelf, VersionedShelf, a_scrub_site, body_of


def spoil(site: ScrubSite, row: Row, how: str) -> None:
    """Damages an object here, behind the store's back."""
    good = body_of(row)
    match how:
        case "flipped":
            site.objects.damage(row.key, bytes([good[0] ^ 1]) + good[1:])
        case "cut":
            site.objects.damage(row.key, good[:-1])
        case "gone":
            site.objects.lose(row.key)


class Away:
    """A site that does not answer; `asked` counts the questions."""

    asked = 0

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""
        self.asked += 1
        raise TryAgain("nobody there")


class Liar:
    """A site that gives these bytes for everything."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""

        async def pieces() -> Any:
            yield self.data

        return Bytes(len(self.data), {}, pieces())


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
async def test_a_damaged_segment_is_healed(tmp_path: Path, how: str) -> None:
    """Byte for byte, with the attributes it had; its neighbours are not touched, and nothing is left in the folder."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[2], how)
    healing = await site.heal(rows[2])

    assert (healing.outcome, healing.reason.rpartition(" ")[2]) == (Outcome.HEALED, "b")
    assert await site.wrong(rows) == []
    assert (await site.objects.head(rows[2].key)).attributes == {"source": "gate"}
    assert list((tmp_path / "heal").iterdir()) == []


async def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    """No other site is asked, and no call changes anything."""
    site, rows = await a_scrub_site(tmp_path, peers={"b": Away()})
    assert (await site.heal(rows[0])).outcome is Outcome.FINE
    assert {"put", "delete", "publish"}.isdisjoint(site.life.calls)
    assert site.peers["b"].asked == 0


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
async def test_nothing_is_touched_without_good_bytes(tmp_path: Path, how: str) -> None:
    """Where the copy of the other site is damaged, too, the object here stays as it is, whatever of it may still be of use."""
    for data in (b"rotten", b"", body_of((await a_scrub_site(tmp_path))[1][2]) + b"more"):
        site, rows = await a_scrub_site(tmp_path, peers={"b": Liar(data)})
        spoil(site, rows[2], how)
        before = {key: await site.objects.get(key) async for key, *_ in site.objects.versions("")}
        healing = await site.heal(rows[2])

        assert healing.outcome is Outcome.DAMAGED
        assert "b: its copy is damaged, too" in healing.reason
        assert {key: await site.objects.get(key) async for key, *_ in site.objects.versions("")} == before


async def test_who_does_not_verify_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a healer that takes the bytes as they come puts rotten ones in place, which a store that checks refuses."""
    site, rows = await a_scrub_site(tmp_path)
    site.copy.damage(rows[2].key, b"x" * rows[2].size)
    spoil(site, rows[2], "flipped")

    async def trusting(_: Healer, found: Bytes, __: Row, file: Any) -> Any:
        file.write(b"".join([piece async for piece in found.pieces]))
        file.flush()
        return found.attributes

    monkeypatch.setattr(Healer, "_read", trusting)
    assert "was stored" in (await site.heal(rows[2])).reason
    assert await site.wrong(rows) == [rows[2].key]
    with pytest.raises(NotFound):  # the damaged bytes are gone as well: what verifying before touching is for
        await site.objects.head(rows[2].key)


async def test_the_next_site_is_asked(tmp_path: Path) -> None:
    """One is away and rests, one has rotten bytes, one lost it; the last one has it."""
    site, rows = await a_scrub_site(tmp_path)
    empty = (await a_scrub_site(tmp_path, [replace(rows[0], camera="other", key=rows[0].key.replace("gate", "other"))]))[0]
    site.peers = {"away": Away(), "rotten": Liar(b"x"), "empty": empty.peers["b"], "b": site.peers["b"]}
    for row in rows[:3]:
        spoil(site, row, "cut")
    healer = site.healer()
    found = [await healer.heal(row.camera, row.position, 0) for row in rows[:3]]

    assert [healing.outcome for healing in found] == [Outcome.HEALED] * 3
    assert site.peers["away"].asked == 1
    assert await site.wrong(rows) == []


async def test_it_is_said_why_it_is_not_healed(tmp_path: Path) -> None:
    """By each site, and where there is none."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[0], "cut")
    site.peers = {"away": Away(), "rotten": Liar(b"x")}
    assert (await site.heal(rows[0])).reason.endswith("away does not answer, rotten: its copy is damaged, too")
    site.peers = {}
    assert (await site.heal(rows[0])).reason.endswith("no other site is configured")


@pytest.mark.parametrize("how", ["flipped", "gone"])
async def test_it_may_die_after_any_call(tmp_path: Path, how: str) -> None:
    """Whatever the last call of a healer was, the next heals it; the row is there all the time."""
    calls = 1
    while True:
        site, rows = await a_scrub_site(tmp_path, life=Life(calls))
        spoil(site, rows[2], how)
        try:
            await site.heal(rows[2])
        except Died:
            assert await site.index.row("gate", rows[2].position) == rows[2]
            site.life = Life()
            assert (await site.heal(rows[2])).outcome in (Outcome.HEALED, Outcome.FINE)
        else:
            break
        assert await site.wrong(rows) == []
        calls += 1
    assert calls > 5


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("held", [False, True])
async def test_versions_and_locks_survive_any_death(tmp_path: Path, strict: bool, held: bool) -> None:
    """Whatever the last call was, in the end the row names the good version, the lock is on that one and on no other, and no damaged
    version is gone. A store that takes no put over a mark loses unlocked ones, and keeps what is locked as it was.
    """
    calls, died = 1, True
    while died:
        site, rows = await a_scrub_site(tmp_path, life=Life(calls), objects=VersionedShelf(strict=strict))
        row, died = rows[2], False
        site.locks["main"] = SwitchedObjects(site.objects, site.life)
        if held:
            site.objects.held.add(row.version)
        site.objects.damage(row.key, b"x" * row.size)
        try:
            await site.heal(row)
        except Died:
            died = True
        site.life = Life()
        site.locks["main"] = site.objects
        last = await site.heal(row)
        now = await site.index.row("gate", row.position)
        kept = {info.version for info, data in site.objects.kept if info.key == row.key and data is not None}

        if strict and held:
            assert (last.outcome, now, kept, site.objects.held) == (Outcome.DAMAGED, row, {row.version}, {row.version})
            assert await site.objects.get(row.key) == b"x" * row.size
        else:
            assert await site.wrong(rows) == []
            assert now.version == (await site.objects.head(row.key)).version
            assert site.objects.held == ({now.version} if held else set())
            assert (row.version in kept) == (not strict)
        calls += 1
    assert calls > 10


async def test_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    """Files of verifying that are hours old; those of others at work stay."""
    site, rows = await a_scrub_site(tmp_path)
    (tmp_path / "heal").mkdir()
    for name, age_s in (("old", 7 * 3600), ("new", 3600)):
        path = tmp_path / "heal" / name
        path.write_bytes(b"x")
        at_s = site.clock.now_us() / 1e6 - age_s
        os.utime(path, (at_s, at_s))
    spoil(site, rows[0], "cut")
    await site.heal(rows[0])
    assert [path.name for path in (tmp_path / "heal").iterdir()] == ["new"]


async def test_under_a_batch_nothing_is_touched(tmp_path: Path) -> None:
    """Neither where it is there from the beginning, nor where it comes while the bytes are fetched."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[2], "cut")
    site.peers = {"b": Meanwhile(site.peers["b"], lambda: site.index.put_batch(a_batch(), expect=None))}

    assert [(await site.heal(rows[2])).outcome for _ in range(2)] == [Outcome.LEAVING] * 2
    assert {"put", "delete"}.isdisjoint(site.life.calls)
    assert site.peers["b"].asked == 1


async def test_a_row_that_goes_meanwhile_gets_no_object(tmp_path: Path) -> None:
    """A deletion that is over while the bytes are fetched: nothing of it comes back."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[2], "gone")

    async def deleted() -> None:
        healer._here.index.inner = MemoryIndex()  # type: ignore[attr-defined]

    site.peers = {"b": Meanwhile(site.peers["b"], deleted)}
    healer = site.healer()
    with pytest.raises(TryAgain, match="changed meanwhile"):
        await healer.heal(rows[2].camera, rows[2].position, 0)
    assert (await healer.heal(rows[2].camera, rows[2].position, 0)).outcome is Outcome.GONE
    assert {"put", "delete", "publish"}.isdisjoint(site.life.calls)


class Meanwhile:
    """A site during whose answer something else happens."""

    def __init__(self, site: Any, what: Any) -> None:
        self.site, self.what, self.asked = site, what, 0

    async def read(self, row: Row, start: int = 0, end: int | None = None) -> Bytes:
        """See `AskFootage`."""
        self.asked += 1
        await self.what()
        return await self.site.read(row, start, end)


async def test_what_comes_back_is_left_alone(tmp_path: Path) -> None:
    """A disk that is mounted again while another site is asked."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[2], "cut")

    async def back() -> None:
        site.objects.damage(rows[2].key, body_of(rows[2]))

    site.peers = {"b": Meanwhile(site.peers["b"], back)}
    assert (await site.heal(rows[2])).outcome is Outcome.FINE
    assert {"put", "delete"}.isdisjoint(site.life.calls)


async def test_too_slow_is_begun_anew(tmp_path: Path) -> None:
    """What is not under way within the commit deadline is left to the next try: a sweep may have begun."""
    site, rows = await a_scrub_site(tmp_path)
    spoil(site, rows[2], "cut")

    class Slow(Shelf):
        async def delete(self, keys: Any) -> Any:
            site.clock.move(51)
            return await super().delete(keys)

    slow = Slow()
    slow._objects = site.objects._objects
    site.objects = slow
    with pytest.raises(TryAgain, match="too slow"):
        await site.heal(rows[2])
    assert "put" not in site.life.calls


class Unreadable(Shelf):
    """An object's bytes cannot be read, as from a bad sector; its name and size can."""

    bad = ""

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> Any:
        if key == self.bad:
            raise TryAgain("input/output error")
        async for piece in super().stream(key, start, end):
            yield piece

    async def put(self, key: str, body: Any, **more: Any) -> str:
        self.bad = "" if key == self.bad else self.bad
        return await super().put(key, body, **more)


async def test_what_cannot_be_read_waits_a_day(tmp_path: Path) -> None:
    """It may pass. After a day it is taken for lost and healed."""
    site, rows = await a_scrub_site(tmp_path, objects=Unreadable())
    site.objects.bad = rows[2].key
    now_us = site.clock.now_us()

    first = await site.heal(rows[2])
    assert (first.outcome, first.reason) == (Outcome.DAMAGED, "it cannot be read: input/output error")
    assert (await site.heal(rows[2], now_us - 2 * UNREADABLE_US)).outcome is Outcome.HEALED
    assert await site.wrong(rows) == []


async def test_a_lock_that_cannot_be_gone_round_is_reported(tmp_path: Path) -> None:
    """A store without versions that holds a damaged object: it stays, and it is said why."""
    site, rows = await a_scrub_site(tmp_path)
    await site.objects.set_legal_hold(rows[2].key, "", held=True)
    spoil(site, rows[2], "flipped")
    healing = await site.heal(rows[2])
    assert healing.outcome is Outcome.DAMAGED
    assert "does not let go of what is there (held)" in healing.reason


async def test_a_damaged_card_is_damage(tmp_path: Path) -> None:
    """What the store itself calls damaged is replaced."""

    class Damaging(MemoryObjects):
        bad = ""

        async def head(self, key: str) -> Any:
            if key == self.bad:
                raise DataDamaged("its card is damaged")
            return await super().head(key)

        async def delete(self, keys: Any) -> Any:
            self.bad = ""
            return await super().delete(keys)

    site, rows = await a_scrub_site(tmp_path, objects=Damaging())
    site.objects.bad = rows[2].key
    assert (await site.heal(rows[2])).outcome is Outcome.HEALED
    assert await site.wrong(rows) == []
