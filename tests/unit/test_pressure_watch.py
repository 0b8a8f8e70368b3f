"""How full pools are, as the duties program sees it: what may go early, for how long that is believed, and which breaches are said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.pressure_watch import GOOD_S, PressureWatch, pool_sizes
from deploy.settings import Settings, load_settings
from segments.clock import US_PER_DAY
from segments.errors import TryAgain
from segments.tier import Term
from tests.builders import NOON_US, a_camera
from tests.clocks import HandClock
from tests.fakes import SwitchedIndex
from tests.retention_builders import a_policy, write_policy
from tests.sweep_site import DAY, Site, footage

SIZE_BYTES = sum(row.size for row in footage())
ROOM_FOR_ALL, TOO_SMALL = 2 * SIZE_BYTES, SIZE_BYTES


def settings_of(folder: Path, size_bytes: int) -> Settings:
    """One folder, which holds so much as its operator says."""
    path = folder / "keepsight.toml"
    path.write_text(f"[pools.main]\nkind = 'files'\nsize_bytes = {size_bytes}\n")
    return load_settings(path, {})


async def a_pressed_site(keep_days: int = 90) -> Site:
    """Three segments that are 40 days old: past their floor of 30 days, and not due before this many."""
    site = Site()
    tiers = a_policy().tiers
    general = tiers["general"]
    longer = type(general)(
        **{name: getattr(general, name) for name in general.__dataclass_fields__}
        | {"keep_for": Term(days=keep_days), "ceiling": Term(days=keep_days + 7)}
    )
    await write_policy(site.index, a_policy(tiers={**tiers, "general": longer}))
    await site.index.add_camera(a_camera(tier=""))
    await site.keep(footage())
    return site


@pytest.mark.parametrize(("size_bytes", "days"), [(ROOM_FOR_ALL, set()), (TOO_SMALL, {("gate", DAY)})])
async def test_what_a_full_pool_may_lose_is_chosen(tmp_path: Path, size_bytes: int, days: set) -> None:
    """Nothing while there is room; and nothing any more when nobody could look for half an hour."""
    site, clock = await a_pressed_site(), HandClock(NOON_US + 40 * US_PER_DAY)
    index = SwitchedIndex(site.index)
    watch = PressureWatch(settings_of(tmp_path, size_bytes), index, clock)
    assert set(watch.chosen()) == set()
    await watch.look()
    assert set(watch.chosen()) == days

    index.away = True
    with pytest.raises(TryAgain):
        await watch.look()
    clock.move(GOOD_S - 1)
    assert set(watch.chosen()) == days
    clock.move(2)
    assert set(watch.chosen()) == set()


async def test_a_breach_is_said_once_and_when_it_is_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Footage under its floor stays in a pool that is too small for it; an alarm says so, and the end of it, too."""
    caplog.set_level("INFO")
    site, clock = await a_pressed_site(), HandClock(NOON_US + US_PER_DAY)
    small = PressureWatch(settings_of(tmp_path, TOO_SMALL), site.index, clock)
    await small.look()
    await small.look()
    assert set(small.chosen()) == set()
    await PressureWatch(settings_of(tmp_path, ROOM_FOR_ALL), site.index, clock).look()

    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["breach.opened", "breach.closed"]


async def test_without_a_policy_nothing_is_chosen(tmp_path: Path) -> None:
    """However full a pool is."""
    site = Site()
    await site.keep(footage())
    watch = PressureWatch(settings_of(tmp_path, TOO_SMALL), site.index, HandClock(NOON_US + 40 * US_PER_DAY))
    await watch.look()
    assert set(watch.chosen()) == set()


def test_sizes_are_as_declared_or_of_the_disk(tmp_path: Path) -> None:
    """What others keep on a folder's disk is used, too; a bucket without a size, and a folder that is not there, are not known."""
    path = tmp_path / "keepsight.toml"
    (tmp_path / "there").mkdir()
    bucket = "kind = 's3'\nendpoint = 'http://127.0.0.1:1'\nbucket = 'b'\naccess_key_id = 'k'\nsecret_file = 's'\n"
    folders = "".join(f"[pools.{name}]\nkind = 'files'\nfolder = '{name}'\n" for name in ("there", "gone"))
    buckets = f"[pools.said]\nsize_bytes = 100\n{bucket}[pools.unsaid]\n{bucket}"
    path.write_text(f"default_pool = 'there'\n{folders}{buckets}[retention]\nhigh_mark = 0.8\nlow_mark = 0.5\n")
    sizes = pool_sizes(load_settings(path, {}))

    assert set(sizes) == {"there", "said"}
    assert (sizes["said"].high_bytes, sizes["said"].low_bytes, sizes["said"].used_bytes) == (80, 50, None)
    assert sizes["there"].size_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < (sizes["there"].used_bytes or 0) <= sizes["there"].size_bytes
