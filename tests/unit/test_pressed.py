"""Which camera-days are pressed, read from an index; and breaches as they are written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from retention.breaches import breaches, note_pressure, pressed_pools
from retention.forecast import Growth
from retention.plan import plan_day
from retention.pool_forecast import forecasts
from retention.pressed import pressed_days
from retention.pressure import Breach, PoolSize, Pressure, Relief
from retention.rules import Rules, read_rules
from segments.clock import US_PER_DAY, US_PER_S, day_start_us
from segments.errors import BadInput
from segments.stores.memory_index import MemoryIndex
from segments.tier import Term, Tier
from segments.usage import UsageSum
from tests.builders import a_camera, a_row
from tests.retention_builders import REVIEW, a_hold, a_policy, write_hold, write_policy

LONG = Tier("long", Term(days=30), Term(days=60), Term(days=90), "a test", "Chen", REVIEW)
TODAY = date(2026, 6, 30)
NOW_US = day_start_us(TODAY)
POOL = {"disk": PoolSize(100)}


async def an_index(*, policy: bool = True, stored_bytes: int = 10) -> MemoryIndex:
    """Ten camera-days of ages 26 to 35 days, of a camera of class 3 and one of class 1, and one due; ten bytes each."""
    index = MemoryIndex()
    if policy:
        await write_policy(index, a_policy(tiers={"long": LONG}, default="long", classes={}))
    for camera, number in (("gate", 3), ("hall", 1)):
        await index.add_camera(a_camera(camera, camera_class=number))
        for age in range(26, 36):
            await index.put_usage(camera, TODAY - timedelta(age), {"disk": UsageSum(1, stored_bytes), "other": UsageSum(1, 10**9)})
    return index


async def test_only_footage_past_its_floor_goes_and_the_lower_class_first() -> None:
    """And what is chosen is judged to go, by the same rules that judge everything."""
    index = await an_index(stored_bytes=6)
    rules = await read_rules(index)
    pressure = await pressed_days(index, rules, POOL, NOW_US)

    assert pressure.chosen == {("gate", TODAY - timedelta(age)) for age in range(32, 36)} | {("hall", TODAY - timedelta(35))}
    assert pressure.breaches == []
    for name, day in pressure.chosen:
        camera = await index.camera(name)
        rows = [a_row(camera=name, start_us=day_start_us(day) + US_PER_DAY - US_PER_S)]
        assert plan_day(camera, day, rows, rules.circumstances(camera, NOW_US)).going == []
        assert plan_day(camera, day, rows, rules.circumstances(camera, NOW_US, pressed=True)).whole


async def test_a_held_day_is_not_chosen_and_a_breach_follows() -> None:
    """A hold on everything leaves nothing that may go: what is under its floor is named, what is held is not."""
    index = await an_index(stored_bytes=6)
    await write_hold(index, a_hold(cameras=("gate", "hall"), end_us=NOW_US - 32 * US_PER_DAY + 1))
    pressure = await pressed_days(index, await read_rules(index), POOL, NOW_US)

    assert pressure.chosen == frozenset()
    assert [(breach.pool, breach.missing_bytes) for breach in pressure.breaches] == [("disk", 25)]
    assert {day for _, day in pressure.breaches[0].hits} <= {TODAY - timedelta(age) for age in range(26, 32)}


async def test_a_pool_that_is_known_to_have_room_is_not_looked_through() -> None:
    """Its use is given; the sums are not even asked."""
    index = await an_index()
    index.usage = None  # type: ignore[method-assign, assignment]
    pressure = await pressed_days(index, await read_rules(index), {"disk": PoolSize(100, 95)}, NOW_US)
    assert pressure.pools == {"disk": Relief(pressed=False)}


async def test_without_a_policy_nothing_is_chosen() -> None:
    """It says so."""
    index = await an_index(policy=False)
    with pytest.raises(BadInput, match="no retention policy binds"):
        await pressed_days(index, await read_rules(index), POOL, NOW_US)


async def test_a_pressed_pool_is_relieved_down_to_its_low_mark() -> None:
    """Between the marks it depends on where it came from."""
    index, rules = await an_index(stored_bytes=1), Rules([a_policy(tiers={"long": LONG}, default="long", classes={})], {}, [])
    between = {"disk": PoolSize(100, 93)}
    calm = await pressed_days(index, rules, between, NOW_US)
    await note_pressure(index, await pressed_days(index, rules, {"disk": PoolSize(100, 96)}, NOW_US))
    going_on = await pressed_days(index, rules, between, NOW_US)

    assert not calm.pools["disk"].pressed
    assert len(going_on.chosen) == 3
    await note_pressure(index, await pressed_days(index, rules, {"disk": PoolSize(100, 90)}, NOW_US))
    assert await pressed_pools(index) == set()


async def test_the_forecast_of_a_pool_follows_from_the_sums() -> None:
    """Ten bytes a day that stay 62 days and are bound for 32: forty days are there, so the days of both marks are counted by hand."""
    index = MemoryIndex()
    await write_policy(index, a_policy(tiers={"long": LONG}, default="long", classes={}))
    await index.add_camera(a_camera("gate", area="fujian", camera_class=2))
    for age in range(40):
        await index.put_usage("gate", TODAY - timedelta(age), {"disk": UsageSum(1, 10)})
    sizes = {"disk": PoolSize(1_000, high=0.5, low=0.4), "roomy": PoolSize(1_000)}
    found = await forecasts(index, await read_rules(index), sizes, NOW_US)
    tight = await forecasts(index, await read_rules(index), {"disk": PoolSize(1_000, 400 + 585)}, NOW_US)

    assert found["disk"] == (TODAY + timedelta(11), None, (Growth("fujian", 2, 10, 32, 62),))
    assert found["roomy"] == (None, None, ())
    assert tight["disk"].pressed == TODAY + timedelta(1)
    assert tight["disk"].breaks is None
    await write_hold(index, a_hold(cameras=("gate",)))
    assert (await forecasts(index, await read_rules(index), sizes, NOW_US))["disk"].breaks == TODAY + timedelta(11)


BREACH = Breach("disk", NOW_US, 7, (("gate", TODAY),), NOW_US + 1)


def found(at_us: int, breach: Breach | None) -> Pressure:
    """One pool in breach, or pressed and no more than that."""
    return Pressure(at_us, {"disk": Relief(pressed=True, breach=breach._replace(at_us=at_us) if breach else None)})


async def test_a_breach_is_opened_once_kept_at_its_worst_and_closed() -> None:
    """One open breach a pool, however often it is found; the next one is another, and the former stays on paper."""
    index = MemoryIndex()
    opened = await note_pressure(index, found(NOW_US, BREACH))
    assert [breach.id for breach in opened] == ["disk.1"]
    assert await note_pressure(index, found(NOW_US, BREACH)) == []
    assert await note_pressure(index, found(NOW_US + 1, BREACH._replace(missing_bytes=9))) == []
    assert await note_pressure(index, found(NOW_US + 2, BREACH._replace(missing_bytes=8))) == []
    [closed] = await note_pressure(index, found(NOW_US + 3, None))
    assert (closed.opened_us, closed.closed_us, closed.missing_bytes) == (NOW_US, NOW_US + 3, 9)
    assert await note_pressure(index, found(NOW_US + 4, None)) == []
    await note_pressure(index, found(NOW_US + 5, BREACH))

    assert [(breach.id, breach.closed_us) for breach in await breaches(index)] == [("disk.1", NOW_US + 3), ("disk.2", 0)]
    assert (await breaches(index))[0] == replace(closed)


async def test_a_breach_that_somebody_else_opened_meanwhile_stands() -> None:
    """Two who find it at once write one."""
    index = MemoryIndex()
    stale = MemoryIndex()
    stale.put_record = index.put_record  # type: ignore[method-assign]
    await note_pressure(index, found(NOW_US, BREACH))

    assert await note_pressure(stale, found(NOW_US + 1, BREACH)) == []
    assert [breach.opened_us for breach in await breaches(index)] == [NOW_US]
