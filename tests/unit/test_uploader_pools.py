"""Which pool the uploader puts footage into, what becomes of it when a pool is closed, and who is told what was indexed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from recorder.spool_folder import sealed_files
from recorder.uploader import Uploader, UploadSettings
from recorder.watched_pool import WatchedPool
from segments.pools import PoolRules, PoolState
from tests.builders import a_batch, a_camera
from tests.fakes import SwitchedObjects, a_sealed_file, keys_of
from tests.upload_node import ONE_POOL, Node


async def test_a_camera_has_its_own_pool(tmp_path: Path) -> None:
    """The row names the pool its object is in, also after a new start of the uploader, also for a camera that was removed."""
    node = Node(tmp_path)
    other = SwitchedObjects()
    await node.index.add_camera(a_camera("door", pool="other"))
    await node.index.add_camera(a_camera("gate"))
    for camera in ("door", "gate", "gone"):
        a_sealed_file(tmp_path, camera=camera)
    rules = PoolRules({"main": PoolState.OPEN, "other": PoolState.OPEN}, "main")
    uploader = Uploader(tmp_path, pools={"main": node.objects, "other": other}, rules=rules, index=node.index, clock=node.clock)

    await uploader.work()

    pools = {camera: [row.pool for row in (await node.index.rows(camera, a_batch().day)).items] for camera in ("door", "gate", "gone")}
    assert pools == {"door": ["other"], "gate": ["main"], "gone": ["main"]}
    assert [key.split("/")[0] for key in await keys_of(other.inner)] == ["door"]


async def test_a_closed_pool_takes_nothing_new(tmp_path: Path) -> None:
    """What is under way to a pool that was closed goes where the rules say next, what lies in it stays, and "nowhere" is an alarm."""
    node = Node(tmp_path)
    pools = {"main": node.objects, "other": SwitchedObjects()}
    await node.index.add_camera(a_camera(pool="other"))

    async def worked(counter: int, **states: PoolState) -> Uploader:
        if not any(file.counter == counter for file in sealed_files(tmp_path)):
            a_sealed_file(tmp_path, counter=counter)
        uploader = Uploader(tmp_path, pools=pools, rules=PoolRules(states, "main"), index=node.index, clock=node.clock)
        await uploader.work()
        return uploader

    await worked(0, main=PoolState.OPEN, other=PoolState.OPEN)
    (alarm,) = (await worked(1, main=PoolState.CLOSED, other=PoolState.DRAINED)).alarms
    assert "other, main take no new footage" in alarm
    await worked(1, main=PoolState.OPEN, other=PoolState.DRAINED)

    assert {row.counter: row.pool for row in (await node.index.rows("gate", a_batch().day)).items} == {0: "other", 1: "main"}
    assert len(await keys_of(pools["other"].inner)) == 1


async def test_what_was_indexed_is_told(tmp_path: Path) -> None:
    """Who counts is told each row when it is published, whether at once or after the index was away."""
    node = Node(tmp_path)
    told: list[str] = []
    node.uploader = Uploader(
        node.folder,
        pools={"main": node.objects},
        rules=ONE_POOL,
        index=node.index,
        clock=node.clock,
        indexed=lambda row: told.append(row.key),
    )
    for counter, away in enumerate((False, True)):
        node.index.away = away
        a_sealed_file(node.folder, counter=counter)
        await node.uploader.work()
        assert len(told) == 1
    node.index.away = False
    node.clock.move(60)
    await node.uploader.work()
    assert sorted(told) == sorted(await node.rows())


async def test_a_pool_that_is_away_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """In each round it is asked as many times as segments travel at once, whatever waits for it, and all else goes through."""
    node = Node(tmp_path)
    away = SwitchedObjects()
    away.away = True
    await node.index.add_camera(a_camera("door", pool="away"))
    await node.index.add_camera(a_camera("gate"))
    for counter in range(20):
        a_sealed_file(tmp_path, camera="door", counter=counter)
    a_sealed_file(tmp_path, camera="gate", counter=20)
    rules = PoolRules({"main": PoolState.OPEN, "away": PoolState.OPEN}, "main")
    tries = CountedPuts(away)
    pools = {"main": node.objects, "away": tries}
    uploader = Uploader(tmp_path, pools=pools, rules=rules, index=node.index, clock=node.clock, settings=UploadSettings(at_once=1))

    await uploader.work()
    assert tries.count <= 2  # the first one finds out whose camera it is
    assert len(await node.rows("gate")) == 1
    assert uploader.waiting == 21

    away.away = False
    await uploader.work()
    await uploader.work()
    assert len(await node.rows("door")) == 20, "a store that is back is used at once, also for what was tried in vain"


async def test_cameras_moved_off_a_pool_that_is_away_go_elsewhere(tmp_path: Path) -> None:
    """What waits for it goes to the new pool at the next turn, without a try at the old one."""
    node = Node(tmp_path)
    away = SwitchedObjects()
    away.away = True
    camera = a_camera("door", pool="away")
    await node.index.add_camera(camera)
    for counter in range(5):
        a_sealed_file(tmp_path, camera="door", counter=counter)
    rules = PoolRules({"main": PoolState.OPEN, "away": PoolState.OPEN}, "main")
    pools = {"main": node.objects, "away": away}
    uploader = Uploader(tmp_path, pools=pools, rules=rules, index=node.index, clock=node.clock, settings=UploadSettings(at_once=1))
    await uploader.work()
    await node.index.set_camera(replace(camera, pool="main"))
    node.clock.move(1)
    await uploader.work()
    assert {row.pool for row in (await node.index.rows("door", a_batch().day)).items} == {"main"}
    assert node.left() == []


class CountedPuts(WatchedPool):
    """A store that counts what it is asked to keep."""

    def __init__(self, objects: SwitchedObjects) -> None:
        super().__init__(objects, failed=lambda: None, answered=lambda: None)
        self.count = 0

    async def put(self, *words: Any, **named: Any) -> str:
        """See `PutObject`."""
        self.count += 1
        return await super().put(*words, **named)
