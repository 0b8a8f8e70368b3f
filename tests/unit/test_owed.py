"""What a site lacks of what was recorded here in its place: counted by segment, held ones apart, and waited for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.cli_give_back import _Waiting
from deploy.keeping import RetentionKeeping
from replication.owed import Lack, Owed, Recorded, total
from replication.source import Source
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import TryAgain
from segments.model import Partition, Span
from segments.takeover import HANDOVER_US, Takeover
from tests.builders import NOON_US
from tests.copy_sites import NOW_US, SEGMENT_BYTES, CopySite, FootageSite, footage, two_sites
from tests.fakes import SteppedClock
from tests.retention_builders import a_hold, write_hold, write_policy

SINCE_US = NOON_US
RECORDED = Recorded("home", Span(SINCE_US, NOW_US))
TODAY = footage(1)[0].day


@pytest.fixture
async def north(tmp_path: Path) -> CopySite:
    """A site whose camera was recorded by another one, `home`: ten segments, which it has not copied yet; and a hold there on the first."""
    made = await two_sites(tmp_path, footage(10))
    await write_policy(made.source.index)
    await write_hold(made.source.index, a_hold(end_us=NOON_US + 1))
    return made


def owed_to(north: CopySite, recorded: Recorded = RECORDED) -> Owed:
    """As `home` asks it."""
    here: FootageSite = north.source
    there = Source(north.index, {"vault": north.objects}, None)  # type: ignore[arg-type]
    return Owed(recorded, here.index, there, RetentionKeeping(here.index, SteppedClock(NOW_US)))


async def test_what_is_lacking_is_counted_and_then_copied(north: CopySite) -> None:
    """All of it at first, the held one apart; nothing when its copier was at work; what rots there is lacking again."""
    days = RECORDED.days_of(["gate"])
    assert days == [Partition("gate", TODAY)]
    assert await owed_to(north).look(days) == {Partition("gate", TODAY): Lack(10, 10 * SEGMENT_BYTES, 1)}
    await north.run(north.copier())
    assert await owed_to(north).look(days) == {}
    await north.source.keep(footage(1, start_us=NOON_US + 1800 * US_PER_S, counter=30))
    await north.objects.delete([footage(10)[4].key])
    assert total(await owed_to(north).look(days)).segments == 2


async def test_only_what_was_recorded_here_in_its_place_counts(north: CopySite) -> None:
    """Not what another site recorded, nor what began before or after; days without footage are not asked of."""
    await north.run(north.copier())
    await north.source.keep(footage(2, run="east-a-1-1", start_us=NOON_US + 900 * US_PER_S))
    await north.source.keep(footage(1, start_us=NOON_US - 60 * US_PER_S))
    days = RECORDED.days_of(["gate", "yard"])
    assert await owed_to(north).look(days) == {}
    everything = replace(RECORDED, span=Span(NOON_US - US_PER_DAY, NOW_US))
    assert total(await owed_to(north, everything).look(everything.days_of(["gate"]))).segments == 1


async def test_control_a_site_that_only_says_it_has_them(north: CopySite) -> None:
    """Rows without their objects count as lacking: what is told is what could be played."""
    for row in footage(10):
        await north.index.publish(replace(row, pool="vault"))
    await north.source.keep(footage(1, start_us=NOON_US + 1800 * US_PER_S, counter=30))
    assert total(await owed_to(north).look(RECORDED.days_of(["gate"]))).segments == 11


async def test_it_is_waited_until_the_site_has_all(north: CopySite) -> None:
    """Not before what was recorded last can be in our index; a site that does not answer meanwhile is said, and asked again."""
    clock = SteppedClock(NOW_US)
    standing = Takeover("north", (), SINCE_US, "Li", "a flood", 7, given_back_us=NOW_US)
    owed: Any = owed_to(north)
    waiting = _Waiting(standing, owed, RECORDED.days_of(["gate"]), clock)
    assert await waiting.look() == (
        "north has not copied yet 10 segments (50.0 kB) of 1 camera-days that were recorded here in its place; "
        "holds cover 1 of them, which come first"
    )
    await north.run(north.copier())
    assert "on its way" in await waiting.look()
    assert waiting.days == RECORDED.days_of(["gate"])
    clock.stand_still(HANDOVER_US / US_PER_S)
    waiting.owed = _Away()  # type: ignore[assignment]
    assert await waiting.look() == "what north has not copied yet cannot be told: away"
    waiting.owed = owed
    assert await waiting.look() == ""
    assert waiting.days == []


class _Away:
    async def look(self, _: object) -> object:
        raise TryAgain("away")
