"""Placement advice of an installation, and what moving its cameras does to the archive and the register."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from capacity.placement import Move
from deploy.capacity_forecast import of_installation
from deploy.capacity_placement import AT_ONCE, Placement, move_cameras, place
from deploy.cli_frame import with_stores
from deploy.settings import Settings, load_settings
from segments.clock import US_PER_DAY, SystemClock, day_of, day_start_us
from segments.errors import TryAgain
from segments.stores.memory_index import MemoryIndex
from segments.usage import UsageSum
from tests.builders import a_camera
from tests.command_line import Keepsight
from tests.retention_builders import write_policy

FIRST, DAYS = date(2026, 3, 1), 60
NOW_US = day_start_us(FIRST + timedelta(days=DAYS)) + US_PER_DAY // 2
GB = 10**9
SIZES = {"gate": 40, "yard": 20, "quay": 10, "key": 30}


async def an_index() -> MemoryIndex:
    """Four cameras in one pool, of 10 to 40 GB a day; `key` is of class 1."""
    index = MemoryIndex()
    await write_policy(index)
    for name, size in SIZES.items():
        await index.add_camera(a_camera(name, camera_class=1 if name == "key" else 2, pool="", tier=""))
        for day in range(DAYS):
            await index.put_usage(name, FIRST + timedelta(days=day), {"main": UsageSum(1440, size * GB)})
    return index


def settings_in(folder: Path, main_gb: int, *, spare: str = "open") -> Settings:
    """The pool all cameras go to, and another one that is empty."""
    pools = {
        "main": {"kind": "files", "size_bytes": main_gb * GB},
        "spare": {"kind": "files", "size_bytes": 20_000 * GB, "state": spare, "folder": folder / "spare"},
    }
    values = {"site": {"folder": folder}, "pools": pools}
    return Settings.model_validate(values)


async def placed(settings: Settings, index: MemoryIndex) -> Placement:
    """The advice for half a year, by what is likely."""
    return place(await of_installation(settings, index, NOW_US), 180, chance=0.5, settings=settings)


async def test_just_what_is_too_much_goes_to_the_other_pool(tmp_path: Path) -> None:
    """In the end there are 92 days of 30 GB and 31 of 70; a high mark 200 GB below that is kept by moving the smallest that is enough."""
    found = await placed(settings_in(tmp_path, int((92 * 30 + 31 * 70 - 200) / 0.95)), await an_index())
    assert [(move.camera, move.source, move.target) for move in found.advice.moves] == [("quay", "main", "spare")]
    assert list(found.without) == ["main"]
    assert not found.advice.too_full
    assert found.as_frame().height == 1
    assert found.as_json()["moved_day_bytes"] == pytest.approx(10 * GB, rel=0.01)


async def test_a_closed_pool_takes_nothing_and_the_day_is_said(tmp_path: Path) -> None:
    """There is no advice then but to make room."""
    found = await placed(settings_in(tmp_path, 4_500, spare="closed"), await an_index())
    assert not found.advice.moves
    assert list(found.advice.too_full) == ["main"]


async def test_moved_cameras_record_into_the_other_pool_and_the_register_says_who(tmp_path: Path) -> None:
    """What is stored stays; a camera that somebody moved since, and one that is gone, are left and named."""
    settings, index = settings_in(tmp_path, 4_000), await an_index()
    await index.set_camera(replace(await index.camera("yard"), pool="spare"))
    moves = [Move(name, "general", "main", "spare", 1.0) for name in ("gate", "yard", "away")]
    left = await move_cameras(settings, index, moves, by="Wu", reason="main fills", now_us=NOW_US)
    assert [(each.camera, each.why) for each in left] == [
        ("yard", "its footage goes to pool spare now, not to main"),
        ("away", "there is no camera away"),
    ]
    assert (await index.camera("gate")).pool == "spare"
    assert (await index.camera("quay")).pool == ""


async def test_what_cannot_be_written_down_is_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No camera is changed while the register is away."""

    async def away(*_: object) -> None:
        raise TryAgain("the register is away")

    monkeypatch.setattr("deploy.cli_acts.ChainRegister.write", away)
    index = await an_index()
    with pytest.raises(TryAgain):
        await move_cameras(
            settings_in(tmp_path, 4_000), index, [Move("gate", "general", "main", "spare", 1.0)], by="Wu", reason="r", now_us=1
        )
    assert (await index.camera("gate")).pool == ""


def test_an_administrator_moves_cameras_and_the_register_says_so(tmp_path: Path) -> None:
    """Shown first, and nothing changed; then moved, in the name of who says so and with the reason; another pool takes what comes."""
    keepsight = Keepsight(tmp_path)
    pools = "".join(f'[pools.{name}]\nkind = "files"\nfolder = "{name}"\nsize_bytes = {size}\n' for name, size in SMALL_POOLS.items())
    keepsight.configure(pools)
    settings = load_settings(keepsight.config, {})
    with_stores(settings, lambda stores: _record(stores.index))
    asked = ("capacity", "place", "--days", "30")
    assert [move["camera"] for move in keepsight.json(*asked)["moves"]] == ["gate"]
    assert keepsight.json("camera", "show", "gate")["pool"] == ""
    keepsight(*asked, "--apply", "--reason", "main fills", "--by", "Wu", "--yes")
    assert keepsight.json("camera", "show", "gate")["pool"] == "spare"
    acts = [act for act in keepsight.json("audit", "search") if act["action"] == "change"]
    assert [(act["cameras"], act["reason"]) for act in acts] == [(["gate"], "main fills")]
    assert "main to spare" in acts[0]["what"]
    assert not keepsight.json(*asked)["moves"]


SMALL_POOLS = {"main": 1_000 * GB, "spare": 20_000 * GB}


async def _record(index: MemoryIndex) -> None:
    """Half a terabyte in twenty days of one camera; nothing leaves, as no policy binds, so there is room for twenty days more."""
    await index.add_camera(a_camera("gate", pool="", tier=""))
    today = day_of(SystemClock().now_us())
    for day in range(1, 21):
        await index.put_usage("gate", today - timedelta(days=day), {"main": UsageSum(1440, 25 * GB)})


def test_the_command_asks_for_a_reason_and_for_a_chance_it_knows(tmp_path: Path) -> None:
    """And says how long a young installation has to wait."""
    keepsight = Keepsight(tmp_path)
    assert "--reason" in keepsight.refused("capacity", "place", "--apply", code=2)
    assert "whole day" in keepsight.refused("capacity", "place", code=2)
    assert AT_ONCE == 200
