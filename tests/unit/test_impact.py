"""What a change of the policy would do, against a reckoning of its own: every segment of every camera-day, planned at every midnight."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.belongings import Former
from retention.impact import Amount, CameraImpact, Comparison, Direction, direction_of, shortens
from retention.plan import plan_day
from retention.policy import Belonging, Policy, choose, due
from retention.rules import Rules
from segments.clock import US_PER_DAY, US_PER_S, day_of, day_start_us, from_datetime
from segments.hold import Hold
from segments.model import Camera, Row
from segments.tier import Term, Tier
from segments.usage import DayUsage, UsageSum
from tests.builders import NOON_US, a_camera, a_row
from tests.retention_builders import REVIEW, a_hold, a_policy

BINDS_US = NOON_US + 7 * US_PER_DAY
BYTES = 1_000


MONTH = Term(days=30)


def a_tier(name: str, keep: Term, floor: Term = MONTH) -> Tier:
    return Tier(name, floor, keep, keep._replace(more_days=keep.more_days + 7), "a test", "Wu", REVIEW)


KEEPS = [Term(days=30), Term(days=31), Term(months=1, days=30), Term(days=60), Term(days=90, months=3), Term(months=2, days=45)]
ROOMS = ("harbour", "harbour/east", "town")
policies = st.builds(
    lambda keeps, default, areas, classes, zone: a_policy(
        tiers={name: a_tier(name, keep) for name, keep in zip("abc", keeps, strict=True)},
        default=default,
        areas=areas,
        classes=classes,
        zone=zone,
    ),
    st.tuples(*(st.sampled_from(KEEPS) for _ in "abc")),
    st.sampled_from("abc"),
    st.dictionaries(st.sampled_from(ROOMS), st.sampled_from("abc")),
    st.dictionaries(st.integers(1, 3), st.sampled_from("abc")),
    st.just("UTC"),
)
cameras = st.builds(
    lambda tier, area, number: a_camera(tier=tier, area=area, camera_class=number),
    st.sampled_from(["", "", "a", "gone"]),
    st.sampled_from(["", "harbour", "harbour/east/gate", "town"]),
    st.integers(1, 3),
)


class World(NamedTuple):
    """Rules before a change and with it, one camera, and the days it has footage of."""

    without: Rules
    changed: Rules
    camera: Camera
    days: Sequence[date]
    zone: ZoneInfo


worlds = st.builds(
    lambda old, new, camera, ago, zone, former: World(
        Rules([replace(old, zone=zone)], former, [a_hold(start_us=0, end_us=BINDS_US - 45 * US_PER_DAY)]),
        Rules(
            [replace(old, zone=zone), replace(new, version=2, zone=zone, written_us=NOON_US, binds_us=BINDS_US)],
            former,
            [a_hold(start_us=0, end_us=BINDS_US - 45 * US_PER_DAY)],
        ),
        camera,
        [day_of(BINDS_US) - timedelta(number) for number in sorted(ago)],
        ZoneInfo(zone),
    ),
    policies,
    policies,
    cameras,
    st.sets(st.integers(0, 120), min_size=1, max_size=5),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kathmandu"]),
    st.sampled_from([{}, {"gate": [Former(Belonging("c", "", 1), BINDS_US + 1)]}, {"gate": [Former(Belonging("c", "", 1), BINDS_US)]}]),
)


def segments_of(day: date) -> list[Row]:
    """One at the beginning of a day, one in its middle, one at its very end."""
    starts = (0, US_PER_DAY // 2, US_PER_DAY - 60 * US_PER_S)
    return [a_row(start_us=day_start_us(day) + start_us, counter=number) for number, start_us in enumerate(starts)]


def reckoned(world: World) -> dict[str, Amount]:
    """The amounts, segment by segment, out of plans alone."""
    found = dict.fromkeys(("longer", "sooner", "going", "held"), Amount())
    for day in world.days:
        before, after = (goes_at(world, rules, day) for rules in (world.without, world.changed))
        pairs = list(zip(before, after, strict=True))
        going = any(new <= BINDS_US < old for old, new in pairs)
        is_held = going and day_start_us(day) < world.without.holds[0].end_us
        kinds = {
            "longer": any(new > old for old, new in pairs),
            "sooner": any(new < old for old, new in pairs),
            "going": going,
            "held": is_held,
        }
        for name in (name for name, is_so in kinds.items() if is_so):
            found[name] = found[name].plus(Amount(1, BYTES))
    return found


def goes_at(world: World, rules: Rules, day: date) -> list[int]:
    """For each segment of a day the first midnight at which the plan lets it go, by what counts when the change binds."""
    around = replace(rules.circumstances(world.camera, BINDS_US), holds=())
    nights = [
        from_datetime(datetime(each.year, each.month, each.day, tzinfo=world.zone).astimezone(UTC))
        for each in (day + timedelta(number) for number in range(200))
    ]

    def goes(row: Row, at_us: int) -> bool:
        return bool(plan_day(world.camera, day, [row], replace(around, now_us=at_us)).going)

    return [nights[bisect_left(nights, 1, key=partial(goes, row))] for row in segments_of(day)]


def of_camera(world: World, at_us: int = BINDS_US) -> CameraImpact | None:
    usage = [DayUsage("gate", day, pool, UsageSum(5, BYTES // 2)) for pool in ("main", "other") for day in world.days]
    return Comparison(world.without, world.changed, at_us=at_us, zone=world.zone).of_camera("gate", world.camera, usage)


@settings(max_examples=80, deadline=None)
@given(worlds)
def test_the_impact_is_what_plans_of_all_segments_say(world: World) -> None:
    """Camera-days and bytes that stay longer, go sooner, are deleted when the change binds, and of these the ones a hold touches."""
    found = of_camera(world)
    expected = reckoned(world)
    if found is None:
        assert expected == dict.fromkeys(expected, Amount())
    else:
        assert {name: getattr(found, name) for name in expected} == expected


def test_a_change_looked_at_from_another_moment_would_be_seen() -> None:
    """The negative control: the same comparison a month early does not agree with the plans."""
    old = a_policy(tiers={"a": a_tier("a", Term(days=60))}, default="a", classes={})
    new = replace(old, tiers={"a": a_tier("a", Term(days=30))}, version=2, binds_us=BINDS_US)
    holds = [a_hold(start_us=0, end_us=BINDS_US - 45 * US_PER_DAY)]
    days = [day_of(BINDS_US) - timedelta(number) for number in range(20, 80, 5)]
    world = World(Rules([old], {}, holds), Rules([old, new], {}, holds), a_camera(tier=""), days, ZoneInfo("UTC"))
    good, early = of_camera(world), of_camera(world, BINDS_US - 30 * US_PER_DAY)

    assert good is not None
    assert good.direction is Direction.SHORTER
    assert good.going == reckoned(world)["going"] == Amount(6, 6 * BYTES)
    assert early is None or early.going != good.going


def test_a_camera_whose_terms_stay_is_not_named() -> None:
    """A new version alone is no change."""
    world = World(Rules([a_policy()], {}, []), Rules([a_policy(), a_policy(version=2)], {}, []), a_camera(), [], ZoneInfo("UTC"))
    assert of_camera(world) is None


@pytest.mark.parametrize(("archived", "old", "new"), [(True, (), ("general",)), (False, (), ("general", "key-area"))])
def test_where_no_policy_was_all_that_goes_goes_sooner(archived: bool, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Nothing was deleted before; of a camera nobody knows all tiers count."""
    policy = a_policy(binds_us=BINDS_US)
    days = [DayUsage("gate", day_of(BINDS_US) - timedelta(number), "main", UsageSum(1, BYTES)) for number in (10, 50, 100)]
    comparison = Comparison(Rules([], {}, []), Rules([policy], {}, []), at_us=BINDS_US, zone=ZoneInfo("UTC"))
    found = comparison.of_camera("gate", a_camera() if archived else None, days)

    assert found is not None
    assert (found.before, found.after, found.direction) == (old, new, Direction.SHORTER)
    assert (found.sooner, found.going) == (Amount(3, 3 * BYTES), Amount(2 if archived else 1, BYTES * (2 if archived else 1)))


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        (Term(days=30), Term(days=31), Direction.LONGER),
        (Term(days=60), Term(days=31), Direction.SHORTER),
        (Term(days=31), Term(days=31), Direction.SAME),
        (Term(days=30), Term(days=30, months=1), Direction.LONGER),
        (Term(days=45), Term(days=45, months=1), Direction.SAME),
        (Term(days=60), Term(months=2), Direction.BOTH),
    ],
)
def test_terms_are_longer_or_shorter_by_the_calendar(old: Term, new: Term, direction: Direction) -> None:
    """A month beside 30 days is longer in some months; two months instead of 60 days are both."""
    assert direction_of([a_tier("a", old)], [a_tier("a", new)]) is direction


def test_a_floor_that_falls_shortens() -> None:
    """Pressure could take that footage sooner."""
    keep = Term(days=90)
    assert direction_of([a_tier("a", keep, Term(days=60))], [a_tier("a", keep)]) is Direction.SHORTER


@settings(max_examples=150, deadline=None)
@given(policies, policies, cameras, st.integers(0, 800))
def test_whatever_goes_sooner_for_any_camera_is_a_shortening(old: Policy, new: Policy, camera: Camera, days: int) -> None:
    """And so has a notice: floor, keep-for and ceiling, for any camera there could be, on any day."""
    was = Belonging(camera.tier, camera.area, camera.camera_class)
    end_us, zone = NOON_US + days * US_PER_DAY, ZoneInfo("UTC")
    before, after = (due([choose(policy, was)], end_us, zone) for policy in (old, new))
    if any(getattr(after, name) < getattr(before, name) for name in ("floor_us", "keep_us", "ceiling_us")):
        assert shortens([old], replace(new, version=2, binds_us=NOON_US), NOON_US)


def test_a_lengthening_alone_is_no_shortening() -> None:
    """The other side: it binds at once."""
    assert not shortens([a_policy()], a_policy(version=2, areas={"harbour": "key-area"}), NOON_US)
    assert shortens([a_policy()], a_policy(version=2, areas={"harbour": "general"}), NOON_US)
    assert shortens([], a_policy(), NOON_US)


def test_a_hold_on_other_cameras_is_not_counted() -> None:
    """Only what covers this camera."""
    hold: Hold = a_hold(cameras=("other",))
    new = a_policy(binds_us=BINDS_US)
    comparison = Comparison(Rules([], {}, [hold]), Rules([new], {}, [hold]), at_us=BINDS_US, zone=ZoneInfo("UTC"))
    found = comparison.of_camera("gate", a_camera(), [DayUsage("gate", date(2025, 1, 1), "main", UsageSum(1, BYTES))])
    assert found is not None
    assert (found.going.camera_days, found.held.camera_days) == (1, 0)
