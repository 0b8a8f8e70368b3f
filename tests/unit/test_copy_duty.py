"""Copying as a duty: made from the settings, for several sites beside each other."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest

from deploy.copy_duty import CopyParts, CopyRounds, copy_folder, copy_rounds, schedule_of
from deploy.placed_duties import placed_duties
from deploy.settings import Settings
from deploy.wiring import Stores
from replication.bandwidth import Schedule, Stretch
from replication.copy_values import COPY
from segments.duty import Duty
from segments.shards import bucket_of
from segments.stores.memory_index import MemoryIndex
from segments.stores.memory_objects import MemoryObjects
from tests.clocks import HandClock
from tests.copy_sites import NOW_US, FootageSite, SwitchedPeer, footage
from tests.retention_builders import write_policy

DUTY = Duty(COPY)


def settings_of(folder: Path, *, shards: int = 1, **sites: dict[str, Any]) -> Settings:
    """A site that knows these others."""
    others = {name: {"url": f"https://{name}.example.org", "key_file": folder / "key", **more} for name, more in sites.items()}
    return Settings.model_validate({"site": {"folder": folder}, "sites": others, "retention": {"sweep_shards": shards}})


async def parts_of(settings: Settings, peers: dict[str, Any]) -> CopyParts:
    """An empty site with the shipped policy and one pool."""
    index = MemoryIndex()
    await write_policy(index)
    return CopyParts(settings, Stores(index, {"main": MemoryObjects()}), peers, lambda: (), HandClock(NOW_US))


async def peers_with(**footage_of: Any) -> dict[str, SwitchedPeer]:
    """Other sites that have this footage."""
    peers = {}
    for name, rows in footage_of.items():
        site = FootageSite()
        await site.keep(rows)
        peers[name] = SwitchedPeer(site.source())
    return peers


async def keys_of(parts: CopyParts) -> set[str]:
    """Of all objects of the pool."""
    return {each.key async for each in parts.stores.pools["main"].versions("")}


async def test_all_sites_whose_footage_is_wanted_are_copied(tmp_path: Path) -> None:
    """Into the pool that new footage goes to; a site of which nothing is wanted is not even asked."""
    gate, yard, quay = (footage(camera=name) for name in ("gate", "yard", "quay"))
    peers = await peers_with(north=gate, east=yard, west=quay)
    parts = await parts_of(settings_of(tmp_path, north={}, east={}, west={"copy": False}), peers)
    assert await copy_rounds(parts)(DUTY)() == 0

    assert {key.split("/")[0] for key in await keys_of(parts)} == {"gate", "yard"}
    assert {row.pool for row in (await parts.stores.index.rows("gate", gate[0].day)).items} == {"main"}
    assert peers["west"].life.calls == []


@pytest.mark.parametrize("fault", ["away", "ours"])
async def test_a_site_that_fails_holds_up_no_other(tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whether it does not answer, or we have a fault with what it says."""
    peers = await peers_with(north=footage(), east=footage(camera="yard"))
    if fault == "away":
        peers["north"].away = True
    else:
        peers["north"].fails["news"] = RuntimeError("a fault of ours")
    parts = await parts_of(settings_of(tmp_path, north={}, east={}), peers)
    rounds = CopyRounds(DUTY, parts)
    await rounds.round()
    assert {"yard"} <= {key.split("/")[0] for key in await keys_of(parts)}
    assert ("copy.failed" in caplog.text) is (fault == "ours")

    peers["north"].away = False
    await rounds.round()
    assert {key.split("/")[0] for key in await keys_of(parts)} == {"yard", "gate"}


@pytest.mark.parametrize(("late_s", "every_s"), [(900, 30), (20, 10)])
async def test_how_copies_stand_is_told_before_they_are_late(tmp_path: Path, late_s: int, every_s: int) -> None:
    """Each half minute, or twice within the time after which a copy is late."""
    settings = settings_of(tmp_path, north={})
    settings = settings.model_copy(update={"replication": settings.replication.model_copy(update={"late_s": late_s})})
    parts = await parts_of(settings, await peers_with(north=footage()))
    await CopyRounds(DUTY, parts).round()
    assert isinstance(parts.clock, HandClock)
    assert {30, 10} & set(parts.clock.slept_s) == {every_s}


async def test_a_shard_copies_its_own_cameras(tmp_path: Path) -> None:
    """All shards together copy all, each camera once."""
    rows = [row for n in range(12) for row in footage(1, camera=f"c{n}")]
    found: list[set[str]] = []
    for shard in range(3):
        parts = await parts_of(settings_of(tmp_path, shards=3, north={}), await peers_with(north=rows))
        await CopyRounds(Duty(COPY, shard, 3), parts).round()
        found.append({key.split("/")[0] for key in await keys_of(parts)})
        assert {bucket_of(camera) % 3 for camera in found[-1]} == {shard}
    assert set.union(*found) == {row.camera for row in rows}


async def test_what_an_earlier_process_left_is_removed(tmp_path: Path) -> None:
    """Half of a large segment, say; each shard of each site has a folder of its own."""
    settings = settings_of(tmp_path, north={})
    folder = copy_folder(settings, "north", DUTY)
    folder.mkdir(parents=True)
    (folder / "half").write_bytes(b"half of it")
    await CopyRounds(DUTY, await parts_of(settings, await peers_with(north=footage()))).round()
    assert list(folder.iterdir()) == []
    assert len({copy_folder(settings, site, Duty(COPY, shard, 2)) for site in ("north", "east") for shard in (0, 1)}) == 4


def test_shards_are_placed_where_something_is_copied(tmp_path: Path) -> None:
    """As many as the sweep has; none where no site is configured, or none is copied."""
    wanted = [settings_of(tmp_path, shards=2, north={}), settings_of(tmp_path, shards=2, north={"copy": False}), Settings()]
    found = [[str(duty) for duty in placed_duties(settings) if duty.kind == COPY] for settings in wanted]
    assert found == [["copy.0-of-2", "copy.1-of-2"], [], []]


def test_the_schedule_is_that_of_the_settings(tmp_path: Path) -> None:
    """A rate for all hours, and others at some."""
    hours = [{"from": "08:00", "to": "18:00", "mbit_per_s": 20}]
    (site,) = settings_of(tmp_path, north={"mbit_per_s": 100, "hours": hours}).sites.values()
    assert schedule_of(site) == Schedule(100, [Stretch(time(8), time(18), 20)])
