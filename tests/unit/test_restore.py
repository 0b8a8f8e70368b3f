"""A backup put into an empty installation: all but footage is back, whatever stopped it, and nothing is deleted before somebody looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import backup
from deploy.backup import CARRIED
from deploy.restore import EPOCHS_AHEAD, planned
from retention.clock_notes import accept_clocks, clocks_held, note_clock
from retention.sweep_clock import Reading
from segments.damage import all_damage, damaged_of, note_damage
from segments.errors import BadInput, Conflict
from segments.index_copy import BUT_FOOTAGE, one_more_epoch
from segments.record import KINDS, new_record
from segments.stores.memory_index import MemoryIndex
from segments.takeover import ALONE, Taken, Takeover, read_standing, write_taken, write_takeover
from tests import whole_index
from tests.backup_site import OF_A_RESTORE, Site, a_site
from tests.builders import NOON_US, a_camera, a_row


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    """A filled index, and a pool for backups."""
    return await a_site(tmp_path)


async def test_all_but_footage_comes_back(site: Site) -> None:
    """Cameras, passwords, records and receipts are equal; only what says of the restore itself, and footage, is not."""
    card = await site.backup()
    target = MemoryIndex()
    await site.restored(target)
    assert {one.where for one in await site.differing(target)} == {"gate 2026-03-14", *OF_A_RESTORE}
    assert not await backup.holds_footage(target)
    assert card.contents == {
        "cameras": len(whole_index.CAMERAS),
        "passwords": len(whole_index.CAMERAS),
        "records": whole_index.RECORDS,
        "usage months": 1,
        "receipts": sum(whole_index.CHAINS.values()),
        "acts": whole_index.ACTS,
    }


def test_a_copy_of_all_but_footage_carries_what_people_decided() -> None:
    """It goes through no partitions; and all kinds of records are carried but those of the moment."""
    assert BUT_FOOTAGE.kind is None
    of_the_moment = {
        "backup",
        "sweep-clock",
        "copy",
        "copy-lag",
        "takeover",
        "taken",
        "site",
        "scrub",
        "session",
        "bearer",
        "consent",
        "export",
        "usage",
    }
    assert set(KINDS) - CARRIED == of_the_moment


async def test_a_takeover_of_then_does_not_stand_again(site: Site) -> None:
    """It may have been given back since; nor does progress of then pass over what is not there now. What is damaged is known."""
    await with_running_things(site)
    await site.backup()
    target = MemoryIndex()
    await site.restored(target)
    assert await read_standing(target) == ALONE
    assert [await target.records(kind) for kind in ("site", "copy", "copy-lag", "scrub")] == [[]] * 4
    assert [each.key for each in await all_damage(target)] == [a_row().key]


async def test_control_a_takeover_that_is_carried_stands_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What restoring every kind would do; a backup that has them all is restored without them all the same."""
    await with_running_things(site)
    monkeypatch.setattr("deploy.backup.CARRIED", frozenset(KINDS) - {"backup", "sweep-clock"})
    await site.backup()
    target = MemoryIndex()
    await site.restored(target)
    assert await read_standing(target) == ALONE

    monkeypatch.setattr("deploy.restore.CARRIED", frozenset(KINDS) - {"backup", "sweep-clock"})
    careless = MemoryIndex()
    (site.folder / "latest.sqlite").unlink()
    await site.restored(careless)
    assert (await read_standing(careless)).takeovers.keys() == {"north"}


async def with_running_things(site: Site) -> None:
    """A takeover that stands, cameras that are taken, something damaged, and how far all that runs is."""
    await write_takeover(site.index, Takeover("north", (), NOON_US, "Li", "a flood", 7), before=None)
    await write_taken(site.index, Taken("north", (), NOON_US), before=None)
    await note_damage(site.index, [damaged_of(a_row(), "a bit flipped", NOON_US)])
    for kind in ("site", "copy", "copy-lag", "scrub"):
        await site.index.put_record(new_record(kind, "north", {}))


async def test_epochs_of_after_the_backup_are_not_given_again(site: Site) -> None:
    """The next one is far above the highest that was known."""
    await site.backup()
    for _ in range(100):
        last = await one_more_epoch(site.index, site.clock)
    target = MemoryIndex()
    await site.restored(target)
    assert await one_more_epoch(target, site.clock) > max(last, EPOCHS_AHEAD)


async def test_nothing_is_deleted_before_somebody_has_looked(site: Site) -> None:
    """The sweep of every shard is held though its clock is right, and says why; somebody accepts, and it goes on."""
    await site.backup()
    target = MemoryIndex()
    await site.restored(target)
    now = Reading(site.clock.now_us(), site.clock.monotonic_ns(), "boot-2", synchronised=True)
    assert "restored from a backup of" in (await note_clock(target, "sweep.0-of-1", now)).held
    assert [name for name, _ in await clocks_held(target)] == ["sweep.0-of-1"]
    await accept_clocks(target, "Li")
    assert (await note_clock(target, "sweep.0-of-1", now)).held == ""
    assert (await note_clock(MemoryIndex(), "sweep.0-of-1", now)).held == "", "the control: without a restore it is not held"


class Stopped(Exception):
    """The process ends here."""


class Stopping(MemoryIndex):
    """Stops at its n-th write of something, before or after it."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped

    async def put_record(self, record) -> None:
        self._count()
        await super().put_record(record)

    async def add_camera(self, camera) -> None:
        await super().add_camera(camera)
        self._count()

    async def put_receipt(self, receipt) -> None:
        await super().put_receipt(receipt)
        self._count()


async def test_a_restore_that_was_stopped_goes_on(site: Site) -> None:
    """Stopped at any write and begun again, it ends as if it had not been; another backup may not go on in its place."""
    first = await site.laid_out((await site.backup()).name)
    await site.index.add_camera(a_camera("later"))
    second = await site.laid_out((await site.backup()).name)
    at = 1
    while True:
        target = Stopping(at)
        try:
            await site.restored(target, first)
            break
        except Stopped:
            if at > 1:
                with pytest.raises(Conflict, match="not empty"):
                    await planned(second, target, site.settings, site.clock)
        await site.restored(target, first)
        assert {one.where for one in await site.differing(target)} == {"later", "gate 2026-03-14", *OF_A_RESTORE}
        at += 1
    assert at > 10


async def test_only_an_empty_installation_is_restored_into(site: Site) -> None:
    """A camera, a record, or footage alone: refused, and named; the same backup is not restored twice either."""
    await site.backup()
    file = await site.laid_out()
    one_camera, one_row = MemoryIndex(), MemoryIndex()
    await one_camera.add_camera(a_camera())
    await one_row.publish_many(whole_index.rows_of("gate", 0, 1))
    done = MemoryIndex()
    await site.restored(done, file)
    for index, named in ((one_camera, "1 cameras"), (one_row, "footage"), (done, "4 cameras")):
        with pytest.raises(Conflict, match=named):
            await planned(file, index, site.settings, site.clock)


async def test_a_backup_of_another_site_is_refused(site: Site) -> None:
    """An index belongs to one site."""
    await site.backup()
    other = site.settings.model_copy(update={"site": site.settings.site.model_copy(update={"name": "away"})})
    with pytest.raises(BadInput, match="of site 'home', this configuration of 'away'"):
        await planned(await site.laid_out(), MemoryIndex(), other, site.clock)
