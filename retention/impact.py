"""What a change of the policy does to cameras and to the footage that is there: what stays longer, what goes sooner. Pure.

Compared is a world with the change and one without it, at the moment the change binds: so what a change announced earlier does, or a camera
that was moved, is not laid at its door. What stays longer does so from the moment it is written (docs/adr/0024).

A camera-day falls due by the civil day its footage ends in, and a UTC day lies in two of those. It counts as going as soon as some of it
goes. The segment that reaches past its midnight counts with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from retention.draft import TERMS
from retention.policy import Belonging, Choice, Policy, choose, due, in_force
from retention.rules import Rules
from segments.clock import US_PER_DAY, day_start_us, iso
from segments.errors import BadInput
from segments.hold import FOR_EVER_US, Hold
from segments.model import Camera
from segments.tier import Tier
from segments.timeline import LONGEST_SEGMENT_US
from segments.usage import DayUsage


class Direction(StrEnum):
    """What becomes of a camera's terms."""

    LONGER = "longer"
    SHORTER = "shorter"
    BOTH = "both"
    """Some footage stays longer, other goes sooner: 30 days and a calendar month, for one."""
    SAME = "same"


class Amount(NamedTuple):
    """So many camera-days, and their bytes."""

    camera_days: int = 0
    stored_bytes: int = 0

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.camera_days + other.camera_days, self.stored_bytes + other.stored_bytes)


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class CameraImpact:
    """What a change does to a camera. `before` and `after`: the names of the tiers that count, those of announced policies included.

    `longer` falls due later than without the change, `sooner` earlier. `going` is what would be deleted the moment the change binds, and
    not without it; `held` is what of that a hold touches, which stays as far as it is covered.
    """

    camera: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    direction: Direction
    longer: Amount = NOTHING
    sooner: Amount = NOTHING
    going: Amount = NOTHING
    held: Amount = NOTHING


@dataclass(frozen=True, slots=True)
class Impact:
    """Of a whole change: the cameras whose tier or terms it changes, in order of id, and how many were looked at."""

    binds_us: int
    looked_at: int
    cameras: tuple[CameraImpact, ...]

    def amount(self, name: str) -> Amount:
        """`longer`, `sooner`, `going` or `held` of all cameras."""
        total = NOTHING
        for camera in self.cameras:
            total = total.plus(getattr(camera, name))
        return total

    def count(self, direction: Direction) -> int:
        """How many cameras' terms change so."""
        return sum(camera.direction is direction for camera in self.cameras)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "binds": iso(self.binds_us),
            "cameras_looked_at": self.looked_at,
            **{name: self.amount(name)._asdict() for name in AMOUNTS},
            "cameras": [
                {"camera": each.camera, "before": each.before, "after": each.after, "direction": each.direction}
                | {name: getattr(each, name)._asdict() for name in AMOUNTS}
                for each in self.cameras
            ],
        }


AMOUNTS = ("longer", "sooner", "going", "held")


def direction_of(before: Iterable[Tier], after: Iterable[Tier]) -> Direction:
    """What becomes of the terms: floor, keep-for and ceiling. In doubt it says shorter, for which there is a notice."""
    old, new = list(before), list(after)
    longer, shorter = not _outlasts(old, new), not _outlasts(new, old)
    return Direction.BOTH if longer and shorter else Direction.LONGER if longer else Direction.SHORTER if shorter else Direction.SAME


def shortens(policies: Sequence[Policy], change: Policy, now_us: int) -> bool:
    """Whether there could be a camera whose footage goes sooner by this policy than by any of those in force or announced.

    Every camera there could be, not only those there are: one may be added or moved meanwhile. Where no policy binds yet nothing is
    deleted, and every policy shortens that.
    """
    try:
        present = in_force(policies, now_us)
    except BadInput:
        return True
    return any(
        not _outlasts([choose(change, one).tier], [choose(policy, one).tier]) for policy in present for one in _whoever([policy, change])
    )


class Comparison:
    """The world without a change and with it, at `at_us`, the moment from which it counts alone; terms run by the civil time of `zone`."""

    def __init__(self, without: Rules, changed: Rules, *, at_us: int, zone: tzinfo) -> None:
        self._without, self._changed, self._at_us, self._zone = without, changed, at_us, zone
        self._fates: dict[tuple[tuple[Choice, ...], tuple[Choice, ...]], _Fates] = {}

    def of_camera(self, camera_id: str, archived: Camera | None, days: Sequence[DayUsage]) -> CameraImpact | None:
        """What the change does to this camera and to what it has stored; None if its tiers and terms stay as they are."""
        camera = self._without.camera(camera_id, archived)
        old, new = (self._chosen(rules, camera, archived is not None) for rules in (self._without, self._changed))
        if _terms(old) == _terms(new):
            return None
        holds = [hold for hold in self._without.holds if hold.covers(camera)]
        stored: Counter[date] = Counter()
        for each in days:
            stored[each.day] += each.sum.stored_bytes
        fates, amounts = self._fates_by(old, new), {name: [0, 0] for name in AMOUNTS}
        for day, stored_bytes in stored.items():
            kinds = fates.of(day)
            for name in (*kinds, "held") if "going" in kinds and any(_touches(hold, day) for hold in holds) else kinds:
                amounts[name][0] += 1
                amounts[name][1] += stored_bytes
        named = {name: Amount(*amount) for name, amount in amounts.items()}
        return CameraImpact(camera_id, _names(old), _names(new), _direction(old, new), **named)

    def _chosen(self, rules: Rules, camera: Camera, archived: bool) -> tuple[Choice, ...]:
        try:
            return tuple(rules.circumstances(camera, self._at_us, archived=archived).chosen)
        except BadInput:
            return ()

    def _fates_by(self, old: tuple[Choice, ...], new: tuple[Choice, ...]) -> _Fates:
        if (old, new) not in self._fates:
            self._fates[old, new] = _Fates(old, new, self._at_us, self._zone)
        return self._fates[old, new]


class _Fates:
    """What becomes of a day's footage when other choices count: reckoned once for all cameras with these."""

    def __init__(self, old: tuple[Choice, ...], new: tuple[Choice, ...], at_us: int, zone: tzinfo) -> None:
        self._old, self._new, self._at_us, self._zone = old, new, at_us, zone
        self._by_day: dict[date, tuple[str, ...]] = {}

    def of(self, day: date) -> tuple[str, ...]:
        """Those of `longer`, `sooner` and `going` that are true of some of it."""
        if day not in self._by_day:
            ends = list(zip(self._dues(self._old, day), self._dues(self._new, day), strict=True))
            kinds = {
                "longer": any(after > before for before, after in ends),
                "sooner": any(after < before for before, after in ends),
                "going": any(after <= self._at_us < before for before, after in ends),
            }
            self._by_day[day] = tuple(name for name, is_so in kinds.items() if is_so)
        return self._by_day[day]

    def _dues(self, chosen: tuple[Choice, ...], day: date) -> tuple[int, ...]:
        """When its beginning and its end fall due; by no choice never."""
        ends_us = (day_start_us(day) + 1, day_start_us(day) + US_PER_DAY)
        return tuple(due(chosen, end_us, self._zone).keep_us if chosen else FOR_EVER_US for end_us in ends_us)


def _direction(old: Sequence[Choice], new: Sequence[Choice]) -> Direction:
    """Where no policy binds nothing is deleted, which is the longest term there is."""
    if old and new:
        return direction_of((choice.tier for choice in old), (choice.tier for choice in new))
    return Direction.LONGER if old else Direction.SHORTER


def _outlasts(tiers: Sequence[Tier], others: Sequence[Tier]) -> bool:
    """Whether each term of the others is within the same term of one of these."""
    return all(any(getattr(other, term).within(getattr(tier, term)) for tier in tiers) for other in others for term in TERMS)


def _whoever(policies: Sequence[Policy]) -> Iterable[Belonging]:
    """One belonging for each way in which these policies can tell cameras apart."""
    shared = set.intersection(*(set(policy.tiers) for policy in policies))
    tiers = {"", *(name for policy in policies for name in policy.tiers)} - shared
    areas = {"", *(area for policy in policies for area in policy.areas)}
    yield from (Belonging(tier, "", 3) for tier in shared)
    yield from (Belonging(tier, area, number) for tier in tiers for area in areas for number in (1, 2, 3))


def _terms(chosen: Iterable[Choice]) -> set[tuple[Any, ...]]:
    return {(choice.tier.name, *(getattr(choice.tier, term) for term in TERMS)) for choice in chosen}


def _names(chosen: Iterable[Choice]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(choice.tier.name for choice in chosen))


def _touches(hold: Hold, day: date) -> bool:
    start_us = day_start_us(day)
    return hold.start_us < start_us + US_PER_DAY + LONGEST_SEGMENT_US and start_us < hold.end_us
