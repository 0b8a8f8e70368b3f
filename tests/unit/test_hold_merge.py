"""A hold that is changed at several sites becomes the same at all, and never shorter or lifted by what nobody decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retention.holds import extend, lift
from retention.merged_holds import merge_holds
from retention.signed import Signed
from segments.clock import US_PER_DAY, US_PER_HOUR
from segments.errors import Conflict
from segments.hold import HOLDS, Hold, hold_of
from segments.hold_merge import merged
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera
from tests.retention_builders import REVIEW, a_hold, write_hold, write_policy

SITES = 3
END_US = NOON_US + US_PER_DAY
SKEWS_US = (0, -US_PER_HOUR, US_PER_HOUR)
"""How wrong the clocks of the sites are."""


class Step(NamedTuple):
    """Something that is done at a site; `other`: the site it is told to."""

    what: str
    site: int
    other: int = 0


STEPS = st.lists(
    st.builds(Step, st.sampled_from(["extend", "review", "lift", "tell", "tell"]), st.integers(0, SITES - 1), st.integers(0, SITES - 1)),
    max_size=10,
)


@dataclass
class Known:
    """The model: what a site has heard of, by number of step; each lifting with what it had seen of what prolongs."""

    prolonged: set[int] = field(default_factory=set)
    liftings: dict[int, frozenset[int]] = field(default_factory=dict)
    ends_us: set[int] = field(default_factory=lambda: {END_US})

    @property
    def stands(self) -> bool:
        """Nothing was lifted, or something prolongs it that no lifting had seen."""
        return not self.liftings or not self.prolonged <= frozenset().union(*self.liftings.values())

    def hear(self, other: Known) -> None:
        """All that another site knows."""
        self.prolonged |= other.prolonged
        self.liftings |= other.liftings
        self.ends_us |= other.ends_us


class World:
    """Three sites with clocks of their own that all know one hold; `models` is what each should make of it."""

    def __init__(self) -> None:
        self.indexes = [MemoryIndex() for _ in range(SITES)]
        self.models = [Known() for _ in range(SITES)]

    async def begin(self) -> None:
        """The hold has been told to all."""
        for index in self.indexes:
            await write_policy(index)
            await index.add_camera(a_camera("gate"))
            await index.add_camera(a_camera("bank"))
            await write_hold(index, a_hold(end_us=END_US, cameras=("gate", "bank")))

    async def do(self, number: int, step: Step) -> None:
        """One step, at the sites and in the models."""
        index, model = self.indexes[step.site], self.models[step.site]
        signed = Signed(f"person {number}", "a reason", NOON_US + number + SKEWS_US[step.site])
        if step.what == "tell":
            await merge_holds([await self.hold(step.site)], self.indexes[step.other])
            self.models[step.other].hear(model)
            return
        with suppress(Conflict):  # it is lifted, as far as this site knows
            if step.what == "lift":
                await lift("h1", signed, index=index)
                model.liftings[number] = frozenset(model.prolonged)
                return
            end_us = END_US + number * US_PER_DAY if step.what == "extend" else None
            review = REVIEW + timedelta(number) if step.what == "review" else None
            if end_us is not None and end_us < max(model.ends_us):
                return
            await extend("h1", signed, index=index, end_us=end_us, review=review)
            model.prolonged.add(number)
            model.ends_us |= {end_us} if end_us is not None else set()

    async def hold(self, site: int) -> Hold:
        """As a site has it."""
        return hold_of(await self.indexes[site].record(HOLDS, "h1"))


async def after(steps: Sequence[Step]) -> tuple[list[Hold], list[Known]]:
    """What the sites and the models make of it."""
    world = World()
    await world.begin()
    for number, step in enumerate(steps):
        await world.do(number, step)
    return [await world.hold(site) for site in range(SITES)], world.models


def faults(states: Sequence[Hold], models: Sequence[Known], merge: Callable[[Hold, Hold], Hold]) -> list[str]:
    """What a way of merging does that it must not."""
    one, two, three = states
    found = [f"site {site} says {hold.stands}" for site, hold in enumerate(states) if hold.stands is not models[site].stands]
    all_known = Known()
    for model in models:
        all_known.hear(model)
    whole = merge(merge(one, two), three)
    rules = {
        "it is lifted, or stands, against the model": whole.stands is all_known.stands,
        "its end is not the latest": whole.end_us == max(all_known.ends_us),
        "not commutative": merge(one, two) == merge(two, one),
        "not associative": whole == merge(one, merge(two, three)),
        "not idempotent": merge(one, one) == one and merge(whole, one) == whole == merge(whole, whole),
    }
    return found + [fault for fault, holds in rules.items() if not holds]


EXTENDED_MEANWHILE = [Step("lift", 0), Step("extend", 1)]
LIFTED_AT_BOTH = [Step("extend", 1), Step("tell", 1, 0), Step("lift", 0), Step("lift", 1)]


@settings(max_examples=150, deadline=None)
@given(STEPS)
@example(EXTENDED_MEANWHILE)
@example(LIFTED_AT_BOTH)
def test_all_sites_come_to_the_same(steps: list[Step]) -> None:
    """Whatever is done at three sites with wrong clocks, and told in any order: as the model has it, by the laws of a semilattice."""
    states, models = asyncio.run(after(steps))
    assert faults(states, models, merged) == []


def test_where_any_lifting_wins_the_model_says_so() -> None:
    """The negative control: an extension that was made meanwhile at another site would be lost."""

    def lifting_wins(one: Hold, other: Hold) -> Hold:
        lifted = next((each for each in (one, other) if not each.stands), None)
        return replace(merged(one, other), lifted_us=lifted.lifted_us) if lifted else merged(one, other)

    states, models = asyncio.run(after(EXTENDED_MEANWHILE))
    assert "it is lifted, or stands, against the model" in faults(states, models, lifting_wins)


def test_an_extension_made_meanwhile_keeps_it_standing_until_it_is_lifted_again() -> None:
    """A lifting ends only what it was decided over; the next one, over both, counts everywhere."""
    states, _ = asyncio.run(after([*EXTENDED_MEANWHILE, Step("tell", 0, 1)]))
    assert [hold.stands for hold in states] == [False, True, True]
    again, _ = asyncio.run(after([*EXTENDED_MEANWHILE, Step("tell", 0, 1), Step("lift", 1), Step("tell", 1, 0), Step("tell", 1, 2)]))
    assert {(hold.stands, hold.lifted_by) for hold in again} == {(False, "person 3")}


def test_what_is_lifted_at_both_is_lifted() -> None:
    """Two persons who lift the same at once need not do it again."""
    states, _ = asyncio.run(after(LIFTED_AT_BOTH))
    assert not merged(states[0], states[1]).stands


def test_a_review_set_earlier_is_not_undone() -> None:
    """The last to say so counts, though its day comes first, and though the clock it was said by was behind."""
    states, _ = asyncio.run(after([Step("review", 2), Step("tell", 2, 1), Step("review", 1)]))
    assert merged(states[2], states[1]).review == merged(states[1], states[2]).review == REVIEW + timedelta(2)


def test_two_holds_are_not_merged_into_one() -> None:
    """Of different names they are different; where two were given one name, both are covered and the first names it."""
    with pytest.raises(ValueError, match="h1 and h2 are different holds"):
        merged(a_hold(), a_hold(id="h2"))
    late = a_hold(placed_us=NOON_US + 1, case="another", cameras=("bank",), start_us=-5, end_us=7, review=date(2030, 1, 1))
    both = merged(late, a_hold(areas=("harbour",), seen=("quay",)))
    assert (both.case, both.cameras, both.areas, both.seen) == ("2026-17", ("bank", "gate"), ("harbour",), ("quay",))
    assert (both.start_us, both.end_us) == (-5, a_hold().end_us)
