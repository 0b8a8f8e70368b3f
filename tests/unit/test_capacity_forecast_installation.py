"""A forecast of an installation: its own usage, the rules and holds in force, the room of its pools."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from capacity.planned_file import NOTHING_PLANNED, planned_of
from deploy.capacity_backtest import tried_on
from deploy.capacity_forecast import Known, foretell, of_installation
from deploy.settings import Settings
from retention.pressure import PoolSize
from segments.clock import US_PER_DAY, day_start_us
from segments.errors import BadInput
from segments.stores.memory_index import MemoryIndex
from segments.tier import Term
from segments.usage import UsageSum
from tests.builders import a_camera
from tests.retention_builders import a_hold, a_policy, write_hold, write_policy

FIRST, DAYS = date(2026, 3, 1), 60
TODAY = FIRST + timedelta(days=DAYS)
NOW_US = day_start_us(TODAY) + US_PER_DAY // 2
GB = 10**9


async def an_index(days: int = DAYS) -> MemoryIndex:
    """Three cameras of 40 GB a day, one of class 1; footage of all days is still there."""
    index = MemoryIndex()
    for name, number in (("gate", 1), ("yard", 2), ("quay", 3)):
        await index.add_camera(a_camera(name, area="harbour", camera_class=number, pool="", tier=""))
        for day in range(days):
            await index.put_usage(name, TODAY - timedelta(days=days - day), {"main": UsageSum(1440, 40 * GB)})
    return index


def settings_in(folder: Path, size_bytes: int = 10_000 * GB) -> Settings:
    """One pool whose size is told."""
    return Settings.model_validate({"site": {"folder": folder}, "pools": {"main": {"kind": "files", "size_bytes": size_bytes}}})


async def known_of(folder: Path, index: MemoryIndex, **planned: str) -> Known:
    """What is known of the installation now."""
    return await of_installation(settings_in(folder), index, NOW_US, planned_of(planned["text"], "p") if planned else NOTHING_PLANNED)


async def test_an_installation_is_forecast_by_its_rules_and_its_room(tmp_path: Path) -> None:
    """Sixty days on, class 1 is kept 92 days and the others a month: 92 and twice 31 of 40 GB; and what is counted is told from that."""
    index = await an_index()
    await write_policy(index)
    found = foretell(await known_of(tmp_path, index), 60)
    pool, site = found.fillings
    assert pool.kept.likely[-1] == pytest.approx((92 + 2 * 31) * 40 * GB, rel=0.02)
    assert pool.room is not None
    assert pool.room.mark_bytes == 9_500 * GB
    assert site.pools == ["main"]
    assert any("counted now" in said for said in found.sentences())


async def test_holds_in_force_keep_what_they_cover(tmp_path: Path) -> None:
    """All of the yard for good: it does not leave any more, so after sixty days it is there whole."""
    index = await an_index()
    await write_policy(index)
    await write_hold(index, a_hold(cameras=("yard",), placed_us=day_start_us(FIRST) + 1))
    found = foretell(await known_of(tmp_path, index), 60)
    assert found.fillings[0].kept.likely[-1] == pytest.approx((92 + 31 + 120) * 40 * GB, rel=0.02)


async def test_a_term_that_is_about_to_change_changes_what_leaves(tmp_path: Path) -> None:
    """All are kept sixty days from 1 June on: an announced lengthening counts at once. 45 of these days are under the floor."""
    index = await an_index()
    policy = a_policy()
    general = replace(policy.tiers["general"], floor=Term(days=45), keep_for=Term(days=60), ceiling=Term(days=67))
    await write_policy(index, policy)
    before = foretell(await known_of(tmp_path, index), 60)
    later = replace(policy, version=2, tiers={**policy.tiers, "general": general}, written_us=NOW_US, binds_us=NOW_US + 30 * US_PER_DAY)
    await write_policy(index, later)
    after = foretell(await known_of(tmp_path, index), 60)
    assert before.fillings[0].kept.likely[-1] == pytest.approx((92 + 2 * 31) * 40 * GB, rel=0.02)
    assert after.fillings[0].kept.likely[-1] == pytest.approx((92 + 2 * 61) * 40 * GB, rel=0.02)
    assert after.fillings[0].bound.likely[-1] == pytest.approx((92 + 2 * 46) * 40 * GB, rel=0.02)


async def test_what_is_planned_goes_before_what_the_installation_says(tmp_path: Path) -> None:
    """Another size, another term, and cameras that change their tier, though a hold asks for the tier they had."""
    index = await an_index()
    await write_policy(index)
    await write_hold(index, a_hold(cameras=("yard",), placed_us=day_start_us(FIRST) + 1, end_us=day_start_us(FIRST) + 2))
    text = (
        '[pools.main]\nsize = "2 TB"\n[tiers.general]\nfloor_days = 9\nkeep_days = 9\n'
        f'[changes.harbour]\ntier = "key-area"\nto = "general"\non = {TODAY + timedelta(days=20)}\narea = "harbour"'
    )
    found = foretell(await known_of(tmp_path, index, text=text), 60)
    assert found.fillings[0].kept.likely[-1] == pytest.approx(30 * 40 * GB, rel=0.02)
    assert found.fillings[0].room == (2_000 * GB, 1_900 * GB)
    assert found.fillings[0].full[1] is not None


async def test_room_that_others_use_is_gone(tmp_path: Path, monkeypatch) -> None:
    """On a disk of 10 TB of which 8 TB are used, 7.2 TB by footage, 9.2 TB are there for footage; the high mark is as much lower."""
    index = await an_index()
    await write_policy(index)
    monkeypatch.setattr("deploy.capacity_forecast.pool_sizes", lambda _: {"main": PoolSize(10_000 * GB, 8_000 * GB, high=0.9)})
    assert (await known_of(tmp_path, index)).rooms == {"main": (9_200 * GB, 8_200 * GB)}


async def test_while_no_policy_binds_nothing_leaves(tmp_path: Path) -> None:
    """And that is said."""
    found = foretell(await known_of(tmp_path, await an_index()), 30)
    assert found.fillings[0].kept.likely[-1] == pytest.approx(90 * 3 * 40 * GB, rel=0.02)
    assert any("nothing leaves" in said for said in found.sentences())
    assert not found.basis()["retention"]


async def test_a_young_installation_hears_how_long_it_takes(tmp_path: Path) -> None:
    """Without a whole day, and with three; the day that is being recorded is no whole one."""
    with pytest.raises(BadInput, match=r"no whole day .* takes 7"):
        await known_of(tmp_path, MemoryIndex())
    known = await known_of(tmp_path, await an_index(3))
    with pytest.raises(BadInput, match=r"3 days of history .* ask again on 2026-05-04"):
        foretell(known, 30)
    with pytest.raises(BadInput, match="3 days of history"):
        tried_on(known, 30)
