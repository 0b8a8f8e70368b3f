"""The report over what real sweeps did: what they deleted when it was due costs no rate, what they deleted early does."""

from __future__ import annotations

from retention.rates import Rate
from retention.report import Order, Report, retention_report
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.model import Row
from segments.tier import Term, Tier
from tests.builders import NOON_US, a_camera, a_row
from tests.retention_builders import REVIEW, a_policy, write_policy
from tests.sweep_site import DUE_US, Site

AGES = (70, 41, 40, 10)
"""Days before the sweep of the days that have a minute of footage each; one of them is due."""
LONG = Tier("long", Term(days=30), Term(days=60), Term(days=90), "a test", "Chen", REVIEW)
MINUTE_US = 60 * US_PER_S


def minute(age: int) -> Row:
    """Of noon, in a run of its own."""
    return a_row(start_us=DUE_US - age * US_PER_DAY, run=f"home-a-{age}-1", version="")


async def a_site() -> Site:
    site = Site()
    await write_policy(site.index, a_policy(tiers={"long": LONG}, default="long", classes={}))
    await site.index.add_camera(a_camera(tier="", added_us=NOON_US - 365 * US_PER_DAY))
    await site.keep([minute(age) for age in AGES], ended=True)
    return site


async def reported(site: Site) -> Report:
    first = day_of(DUE_US - 80 * US_PER_DAY)
    return await retention_report(Order(first), index=site.index, now_us=site.clock.now_us())


async def test_what_went_when_it_was_due_costs_nothing() -> None:
    """The same integrity, depth and days before and after; and the row is gone indeed."""
    site = await a_site()
    before = await reported(site)
    await site.run(site.sweep())
    after = await reported(site)
    assert await site.rows(minute(70).day) == []
    assert len(await site.receipts()) == 1
    assert before.total == after.total
    assert before.total.integrity == Rate(len(AGES) * MINUTE_US, 80 * US_PER_DAY)
    assert (after.lines[0].attainment.required_days, after.lines[0].attainment.depth_days) == (60, 41)


async def test_what_went_under_pressure_is_lost() -> None:
    """A minute less than before, at the place it was; the camera is only as deep as what came after that."""
    site = await a_site()
    before = await reported(site)
    pressed = {("gate", minute(40).day)}
    await site.run(site.sweep(pressed=lambda: pressed))
    after = await reported(site)
    assert [dict(receipt.reasons) for receipt in await site.receipts()] == [{"due": 1}, {"pressure": 1}]
    assert before.total.integrity.part - after.total.integrity.part == MINUTE_US
    assert after.total.days[80 - 40] == Rate(0, US_PER_DAY)
    line = after.lines[0]
    assert line.attainment.depth_days == 10
    assert {str(what): us for what, us in line.attainment.missing.items()}["deleted-early"] == MINUTE_US
    assert line.gaps.keys() == line.attainment.missing.keys()
