"""What of a pressed pool waits for copies at other sites: asked of them, remembered for a while, and told as a breach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from retention.breaches import breaches, note_pressure
from retention.copies import NO_COPIES, Copies
from retention.missing_copies import KNOWN_FOR_S, MissingCopies
from retention.policies import POLICIES
from retention.policy_record import policy_values
from retention.pressed import none_missing, pressed_days
from retention.pressure import PoolSize, Pressure
from retention.rules import read_rules
from segments.clock import US_PER_DAY, US_PER_S, day_start_us
from segments.model import Row, RowPosition
from segments.record import new_record
from segments.tier import Term
from tests.builders import NOON_US
from tests.retention_builders import a_policy
from tests.sweep_site import DAY, Site, a_site, footage

SIZE_BYTES = sum(row.size for row in footage())
PRESSED = {"main": PoolSize(SIZE_BYTES)}
EARLY_US = NOON_US + 50 * US_PER_DAY
"""Past its floor of 30 days, and not due before 90."""


@dataclass
class SaidCopies:
    """See `Copies`: what is missing is as a test says."""

    missing: int = 0
    unheard: str = ""
    asked: int = 0
    early: bool | None = None

    async def hear(self, _within_s: float = 0.0) -> Mapping[str, str]:
        return {"b": self.unheard} if self.unheard else {}

    async def short(self, _camera: str, _day: object, rows: list[Row], _copies: int, *, early: bool) -> Mapping[RowPosition, str]:
        self.asked += 1
        self.early = early
        return {row.position: "it waits for its copy at b" for row in rows[: self.missing]}


async def a_pressed_site(copies: int = 2) -> Site:
    """Three segments that may go early, and fill their pool; their tier wants so many copies."""
    site = await a_site(footage())
    site.clock.start_us = EARLY_US
    policy = a_policy(version=2)
    general = replace(policy.tiers["general"], copies=copies, keep_for=Term(days=90), ceiling=Term(days=97))
    longer = {**policy.tiers, "general": general}
    await site.index.put_record(new_record(POLICIES, "2", policy_values(replace(policy, tiers=longer))))
    await site.index.put_usage("gate", DAY, await site.index.row_sums("gate", DAY))
    return site


async def looked(site: Site, copies: Copies | MissingCopies) -> Pressure:
    """What is found of the pool, with these other sites."""
    missing = copies if isinstance(copies, MissingCopies) else MissingCopies(site.index, copies, site.clock)
    return await pressed_days(site.index, await read_rules(site.index), PRESSED, site.clock.now_us(), missing)


async def test_what_has_its_copies_goes_early() -> None:
    """No breach; whoever asks for one copy only asks nobody."""
    for copies, asked in ((1, 0), (2, 1)):
        site, said = await a_pressed_site(copies), SaidCopies()
        pressure = await looked(site, said)
        assert (pressure.chosen, pressure.breaches, said.asked) == ({("gate", DAY)}, [], asked)
        assert said.early is (True if asked else None)


@pytest.mark.parametrize("missing", [3, 1])
async def test_what_misses_a_copy_gives_no_room_and_the_breach_names_it(missing: int) -> None:
    """All of it missing: nothing is chosen. Some of it: the rest is chosen, and goes; and only what stays is missing room."""
    site = await a_pressed_site()
    pressure = await looked(site, SaidCopies(missing))
    assert pressure.chosen == (set() if missing == 3 else {("gate", DAY)})
    if missing == 1:
        assert pressure.breaches == []  # two thirds of it make enough room
        return
    await note_pressure(site.index, pressure)
    (breach,) = await breaches(site.index)
    assert (breach.waiting, breach.hits) == ((("gate", DAY),), ())
    assert breach.missing_bytes == SIZE_BYTES - PRESSED["main"].high_bytes


async def test_control_without_asking_the_pool_is_full_in_silence() -> None:
    """It was so: what stays for want of a copy counted as gone, and nobody was told."""
    site = await a_pressed_site()
    pressure = await pressed_days(site.index, await read_rules(site.index), PRESSED, EARLY_US, none_missing)
    assert (pressure.chosen, pressure.breaches) == ({("gate", DAY)}, [])
    assert (await looked(site, SaidCopies(3))).breaches


async def test_a_site_whose_holds_are_not_known_makes_all_wait() -> None:
    """Whatever its tier asks for; nobody is asked about copies."""
    site, said = await a_pressed_site(1), SaidCopies(unheard="b has not said which holds it has")
    pressure = await looked(site, said)
    assert (pressure.chosen, [breach.waiting for breach in pressure.breaches], said.asked) == (set(), [(("gate", DAY),)], 0)


async def test_a_site_that_is_alone_says_so() -> None:
    """Two copies are wanted and there is no other site: a breach."""
    assert (await looked(await a_pressed_site(), NO_COPIES)).breaches


async def test_what_is_due_and_waits_gives_no_room_either_until_its_ceiling() -> None:
    """Then it goes, copy or not."""
    site, said = await a_pressed_site(), SaidCopies(3)
    site.clock.start_us = day_start_us(DAY) + 93 * US_PER_DAY
    assert [breach.waiting for breach in (await looked(site, said)).breaches] == [(("gate", DAY),)]
    assert said.early is False
    site.clock.start_us = day_start_us(DAY) + 120 * US_PER_DAY
    assert (await looked(site, said)).breaches == []


async def test_answers_are_remembered_for_a_while() -> None:
    """A camera-day is asked about once an hour, whether it misses a copy or not: other sites may need room, too, and delete theirs."""
    site, said = await a_pressed_site(), SaidCopies(3)
    missing = MissingCopies(site.index, said, site.clock)
    for passes_s, asked in ((0.0, 1), (KNOWN_FOR_S - 1, 1), (2.0, 2)):
        site.clock.start_us += int(passes_s * US_PER_S)
        assert (bool((await looked(site, missing)).breaches), said.asked) == (True, asked)
    said.missing = 0
    for passes_s, asked in ((KNOWN_FOR_S + 1, 3), (KNOWN_FOR_S - 1, 3), (2.0, 4)):
        site.clock.start_us += int(passes_s * US_PER_S)
        assert (bool((await looked(site, missing)).breaches), said.asked) == (False, asked)
