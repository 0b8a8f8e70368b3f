"""What happens at a site over some five hundred days, from a seed: plain facts, which the product and the oracle read each in its own way.

All moments are true time in microseconds; what the node's clock showed follows from `skews`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from tests.retention_sim.civil import DAY, HOUR, MINUTE, S, Told, begin_us, utc_us

NEVER = 1 << 62
ZONES = (
    *("Asia/Shanghai", "America/Havana", "Africa/Cairo", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe"),
    *("Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "Atlantic/Azores", "America/Asuncion", "UTC"),
)
AREAS = ("", "fujian", "fujian/xiamen", "fujian/xiamen/siming", "fujian/quanzhou", "fujian/xiamen-north")
FOOTAGE_DAYS, DAYS = 330, 470
CAMERAS = 20
GENERAL, KEY = Told(30, 1), Told(90, 3)


class TierTold(NamedTuple):
    """A tier's three terms."""

    floor: Told
    keep: Told
    ceiling: Told


TIERS = {
    "general": TierTold(GENERAL, GENERAL, GENERAL._replace(more=7)),
    "key-area": TierTold(KEY, KEY, KEY._replace(more=7)),
    "long": TierTold(GENERAL, Told(60, 2), Told(60, 2, 7)),
    "months": TierTold(Told(30, 1), Told(0, 4), Told(0, 5)),
}


class PolicyTold(NamedTuple):
    """A version: when it was written, binds, and was taken back (0: never); which tier goes to whom."""

    version: int
    written_us: int
    binds_us: int
    withdrawn_us: int
    default: str
    areas: dict[str, str]
    classes: dict[int, str]


class Was(NamedTuple):
    """What a camera is from a moment on; what it was before counts until `former_until_us`. `there`: it is in the archive."""

    from_us: int
    tier: str
    area: str
    number: int
    there: bool = True
    former_until_us: int = 0


class HoldTold(NamedTuple):
    """A hold, and when it is lifted."""

    id: str
    cameras: tuple[str, ...]
    areas: tuple[str, ...]
    seen: tuple[str, ...]
    start_us: int
    end_us: int
    placed_us: int
    lifted_us: int


class Shot(NamedTuple):
    """A segment: when it was, when it was in the index, and when its copy was made."""

    camera: str
    start_us: int
    end_us: int
    stored_bytes: int
    stored_us: int
    copied_us: int


class Stretch(NamedTuple):
    """A time without sweeps (`by_us` 0), or in which the node's clock is off by so much. `reboots`: the machine was started then."""

    from_us: int
    until_us: int
    by_us: int = 0
    reboots: bool = False


@dataclass(frozen=True)
class Story:
    """A site. `pool_bytes` 0: room for everything."""

    seed: int
    zone: str
    start_us: int
    end_us: int
    policies: Sequence[PolicyTold]
    cameras: dict[str, list[Was]]
    holds: Sequence[HoldTold]
    shots: Sequence[Shot]
    outages: Sequence[Stretch]
    skews: Sequence[Stretch]
    pool_bytes: int

    def camera_at(self, camera: str, at_us: int) -> Was:
        """What it is; after it was removed, what it was last."""
        return [was for was in self.cameras[camera] if was.from_us <= at_us][-1]


def tell(seed: int, cameras: int = CAMERAS) -> Story:
    """The story of a seed, with so many cameras."""
    dice = random.Random(seed)
    first = date(2010, 1, 1) + timedelta(dice.randrange(18 * 365))
    start_us, zone = utc_us(first), dice.choice(ZONES)
    end_us = start_us + DAYS * DAY
    lives = {f"cam{number:02}": _lives(dice, start_us) for number in range(cameras)}
    shots = [shot for camera in lives for day in range(FOOTAGE_DAYS) for shot in _shots(dice, camera, first + timedelta(day), zone)]
    footage_bytes = sum(shot.stored_bytes for shot in shots)
    return Story(
        *(seed, zone, start_us, end_us),
        policies=_policies(dice, start_us),
        cameras=lives,
        holds=[_hold(dice, number, start_us, lives) for number in range(dice.randrange(6))],
        shots=shots,
        outages=[_stretch(dice, start_us, dice.choice((6 * HOUR, 3 * DAY, 20 * DAY))) for _ in range(dice.randrange(4))],
        skews=_skews(dice, start_us),
        pool_bytes=footage_bytes * 60 // FOOTAGE_DAYS if seed % 5 == 0 else 0,
    )


def _policies(dice: random.Random, start_us: int) -> list[PolicyTold]:
    found = []
    written_us = binds_us = start_us - DAY
    for version in range(1, 2 + dice.randrange(5)):
        areas = {area: dice.choice(list(TIERS)) for area in AREAS[1:] if dice.random() < 0.4}
        classes = {number: dice.choice(list(TIERS)) for number in (1, 2) if dice.random() < 0.6}
        withdrawn = version > 1 and binds_us > written_us and dice.random() < 0.3
        withdrawn_us = dice.randrange(written_us + 1, binds_us) if withdrawn else 0
        found.append(PolicyTold(version, written_us, binds_us, withdrawn_us, dice.choice(list(TIERS)), areas, classes))
        written_us += dice.randrange(1, 120 * DAY)
        binds_us = max(binds_us, written_us) + dice.choice((0, 1, 30, 45)) * DAY
    return found


def _lives(dice: random.Random, start_us: int) -> list[Was]:
    lives = [Was(0, *_belonging(dice))]
    at_us = start_us
    for _ in range(dice.choice((0, 0, 0, 1, 2, 3))):
        at_us += dice.randrange(1, 150 * DAY)
        if dice.random() < 0.2:
            lives.append(lives[-1]._replace(from_us=at_us, there=False, former_until_us=NEVER))
            break
        lives.append(Was(at_us, *_belonging(dice), former_until_us=at_us + dice.choice((30, 30, 90)) * DAY))
    return lives


def _belonging(dice: random.Random) -> tuple[str, str, int]:
    return dice.choice(("", "", "", *TIERS, "gone")), dice.choice(AREAS), dice.randint(1, 3)


def _hold(dice: random.Random, number: int, start_us: int, cameras: dict[str, list[Was]]) -> HoldTold:
    placed_us = start_us + dice.randrange(DAYS * DAY)
    lifted_us = dice.choice((NEVER, placed_us + dice.randrange(DAY, 200 * DAY)))
    begin_us_ = placed_us + dice.randrange(-100 * DAY, 60 * DAY)
    end_us = dice.choice((NEVER, begin_us_ + dice.choice((MINUTE, HOUR, 10 * DAY, 90 * DAY))))
    named = tuple(dice.sample(sorted(cameras), dice.randint(1, 4)))
    if dice.random() < 0.6:
        return HoldTold(f"h{number}", named, (), (), begin_us_, end_us, placed_us, lifted_us)
    area = dice.choice(AREAS[1:])
    seen = tuple(camera for camera, lives in cameras.items() if _lies_in([was for was in lives if was.from_us <= placed_us][-1].area, area))
    return HoldTold(f"h{number}", (), (area,), seen, begin_us_, end_us, placed_us, lifted_us)


def _lies_in(area: str, outer: str) -> bool:
    return area == outer or area.startswith(outer + "/")


def _shots(dice: random.Random, camera: str, day: date, zone: str) -> list[Shot]:
    if dice.random() < 0.05:
        return []
    found = [_shot(dice, camera, day, zone)]
    if dice.random() < 0.2:
        found.append(_shot(dice, camera, day, zone))
    return found if len({shot.start_us for shot in found}) == len(found) else found[:1]


def _shot(dice: random.Random, camera: str, day: date, zone: str) -> Shot:
    length_us = dice.randrange(5 * S, 300 * S)
    midnight_us = begin_us(day + timedelta(dice.randrange(2)), zone)
    at_us = utc_us(day)
    inside = at_us <= midnight_us - length_us < at_us + DAY
    match dice.randrange(8):
        case 0 if inside:  # ends with the civil day
            start_us = midnight_us - length_us
        case 1 if inside:  # its last picture is the first of the next civil day
            start_us = midnight_us - length_us + 1
        case 2 if inside:
            start_us = midnight_us - dice.randrange(length_us)
        case 3:  # over midnight UTC
            start_us = at_us + DAY - dice.randrange(1, length_us)
        case _:
            start_us = at_us + dice.randrange(DAY)
    start_us = min(max(start_us, at_us), at_us + DAY - 1)
    late_us = dice.randrange(60 * DAY) if dice.random() < 0.003 else dice.randrange(3 * DAY) if dice.random() < 0.02 else MINUTE
    end_us = start_us + length_us
    copied_us = dice.choice((NEVER, end_us + dice.randrange(120 * DAY))) if dice.random() < 0.04 else 0
    return Shot(camera, start_us, end_us, dice.randint(1, 9), end_us + late_us, copied_us)


def _stretch(dice: random.Random, start_us: int, longest_us: int) -> Stretch:
    from_us = start_us + 40 * DAY + dice.randrange((DAYS - 60) * DAY)
    return Stretch(from_us, from_us + dice.randrange(HOUR, longest_us))


def _skews(dice: random.Random, start_us: int) -> list[Stretch]:
    found, at_us = [], start_us + 35 * DAY
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        at_us += dice.randrange(5 * DAY, 100 * DAY)
        length_us = dice.choice((HOUR, 5 * HOUR, 2 * DAY, 10 * DAY))
        by_us = dice.choice((-400 * DAY, -3 * DAY, -5 * HOUR, 50 * MINUTE, 2 * HOUR, DAY, 40 * DAY, 400 * DAY))
        found.append(Stretch(at_us, at_us + length_us, by_us, dice.random() < 0.3))
        at_us += length_us
    return found
