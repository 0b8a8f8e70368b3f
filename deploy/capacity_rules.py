"""The rules of retention in force, as capacity asks for them: when footage leaves, what holds keep, by which tier it is kept.

Capacity knows no rule and retention no forecast: this asks the very deciders the sweep asks (`retention.plan.judge`), at the moments at
which their answer may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from retention.plan import Circumstances, judge
from retention.policy import Choice, Due, Level, Policy, due, in_force
from retention.rules import Rules
from segments.clock import US_PER_DAY, day_of, day_start_us, iso
from segments.errors import BadInput
from segments.hold import FOR_EVER_US, Hold
from segments.model import Camera

_NEVER_US = 1 << 62
Chosen = tuple[Choice, ...]
_ANY_HOLD = Hold("any", "any", "what a hold covers is held, whichever it is", "capacity", 0, 0, cameras=("any",))


class RulesInForce:
    """Answers for capacity, out of what retention read at one moment. Answers are remembered: they do not change."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._policies = [policy for policy in rules.policies if not policy.withdrawn_us]
        self._changes_us = sorted({moment for policy in self._policies for moment in (policy.written_us, policy.binds_us)})
        self._changing: dict[str, tuple[Camera, bool]] = {}
        """By what `tier_of` called them: cameras whose tier is about to change, one each, and whether they are in the archive."""
        self._chosen: dict[tuple[str, int], Chosen] = {}
        self._dues: dict[tuple[Chosen, date, str], Due] = {}
        self._left: dict[tuple[str, date, bool], date] = {}

    def leaves(self, tier: str, day: date) -> date:
        """See `capacity.flow.Leaves`: when a day's footage is due, with all its copies and no hold."""
        return self._gone_by(tier, day, pressed=False)

    def leaves_pressed(self, tier: str, day: date) -> date:
        """The same of a pool under pressure: when the floor is over. What is not gone then even so is what a pool must have room for."""
        return self._gone_by(tier, day, pressed=True)

    def goes(self, tier: str, day: date, on: date, *, held: bool, short: bool) -> bool:
        """See `capacity.flow.Goes`."""
        now_us = day_start_us(on + timedelta(1)) - 1
        chosen = self._choices(tier, now_us)
        if not chosen:
            return False
        zone = self._zone(now_us)
        holds = [_ANY_HOLD] if held else []
        return judge(self._due(chosen, day, zone), Circumstances(now_us, zone, chosen), held=holds, short=short).deletes

    def held(self, cameras: pl.DataFrame, first: date, days: int) -> NDArray[np.float32]:
        """See `capacity.flow.Held`: by the holds that stand. One without an end goes on; none holds what was gone when it was placed."""
        shares = np.zeros((cameras.height, days), np.float32)
        rows = {camera: row for row, camera in enumerate(cameras["camera"])}
        areas, tiers = cameras["area"].to_numpy(), cameras["tier"].to_numpy()
        for hold in self._rules.holds:
            covered = [area for area in np.unique(areas) if area and hold.covers(Camera(id="", name="", url="", area=area))]
            mine = {rows[camera] for camera in (*hold.cameras, *hold.seen) if camera in rows}
            mine |= set(np.flatnonzero(np.isin(areas, covered)).tolist())
            for tier in np.unique(tiers):
                lines = sorted(line for line in mine if tiers[line] == tier)
                shares[lines] = np.maximum(shares[lines], _shares(hold, first, days) * self._there(hold, str(tier), first, days))
        return shares

    def tier_of(self, camera: Camera, now_us: int, *, archived: bool = True) -> str:
        """The tier a camera's footage is kept by, as `leaves` takes it; of one whose tier is about to change, all of them and when."""
        moments = [now_us, *(moment for moment in self._changes_of(camera.id) if moment > now_us)]
        names = [self._names(camera, moment, archived=archived) for moment in moments]
        steps = [
            (after, moment) for (before, after), moment in zip(pairwise(names), moments[1:], strict=True) if before and before != after
        ]
        name = next(filter(None, names), "")
        if not steps and " and " not in name:
            return name
        text = name + "".join(f", {after} from {iso(moment)[:10]}" for after, moment in steps)
        self._changing[text] = camera, archived
        return text

    def _there(self, hold: Hold, tier: str, first: date, days: int) -> NDArray[np.bool_]:
        """Which of these days were not gone when a hold was placed."""
        placed = day_of(hold.placed_us)
        return np.array([self.leaves(tier, first + timedelta(number)) > placed for number in range(days)])

    def _gone_by(self, tier: str, day: date, *, pressed: bool) -> date:
        key = tier, day, pressed
        if key not in self._left:
            self._left[key] = self._look_on(tier, day, pressed=pressed)
        return self._left[key]

    def _look_on(self, tier: str, day: date, *, pressed: bool) -> date:
        """Judges a day's last footage at its end, and again whenever the verdict may be another one, until it goes."""
        now_us, camera = day_start_us(day + timedelta(1)), self._camera(tier)
        while True:
            until_us = min((moment for moment in self._changes_of(camera) if moment > now_us), default=_NEVER_US)
            chosen = self._choices(tier, now_us)
            if chosen:
                zone = self._zone(now_us)
                verdict = judge(self._due(chosen, day, zone), Circumstances(now_us, zone, chosen, pressed=pressed))
                if verdict.deletes:
                    return day_of(now_us)
                until_us = min(verdict.until_us, until_us)
            if until_us == _NEVER_US:
                return date.max
            now_us = until_us

    def _due(self, chosen: Chosen, day: date, zone: ZoneInfo) -> Due:
        """Of the last footage of a day."""
        key = chosen, day, zone.key
        if key not in self._dues:
            self._dues[key] = due(chosen, day_start_us(day + timedelta(1)), zone)
        return self._dues[key]

    def _choices(self, tier: str, now_us: int) -> Chosen:
        """What counts at a moment; nothing while no policy binds. Raises BadInput for a tier that none has.

        A policy that does not have it yet, or any more, counts by its default; of cameras nobody knows (tier '') all tiers count.
        """
        key = tier, sum(moment <= now_us for moment in self._changes_of(self._camera(tier)))
        if key not in self._chosen:
            self._chosen[key] = self._find(tier, now_us)
        return self._chosen[key]

    def _find(self, tier: str, now_us: int) -> Chosen:
        policies = self._in_force(now_us)
        if tier in self._changing:
            return self._chosen_for(*self._changing[tier], now_us)
        if tier and self._policies and not any(tier in policy.tiers for policy in self._policies):
            known = sorted({name for policy in self._policies for name in policy.tiers})
            raise BadInput(f"there is no tier {tier!r} in the retention policy; there are: {', '.join(known)}")
        found: list[Choice] = []
        for policy in policies:
            tiers = [policy.tiers.get(tier, policy.tiers[policy.default])] if tier else policy.tiers.values()
            found += [Choice(each, Level.DEFAULT, "", policy.version) for each in tiers]
        return tuple(found)

    def _chosen_for(self, camera: Camera, archived: bool, now_us: int) -> Chosen:
        if not (policies := self._in_force(now_us)):
            return ()
        rules = replace(self._rules, policies=policies)
        return tuple(rules.circumstances(camera, now_us, archived=archived).chosen)

    def _names(self, camera: Camera, now_us: int, *, archived: bool) -> str:
        """The tiers that count at a moment; '' while no policy binds."""
        return " and ".join(sorted({choice.tier.name for choice in self._chosen_for(camera, archived, now_us)}))

    def _changes_of(self, camera: str) -> list[int]:
        """The moments at which what counts may be another: of policies, and of what a camera was until then."""
        former = {each.until_us for each in self._rules.former.get(camera, ())} - {FOR_EVER_US}
        return sorted({*self._changes_us, *former}) if former else self._changes_us

    def _camera(self, tier: str) -> str:
        return self._changing[tier][0].id if tier in self._changing else ""

    def _zone(self, now_us: int) -> ZoneInfo:
        return ZoneInfo(self._in_force(now_us)[-1].zone)

    def _in_force(self, now_us: int) -> Sequence[Policy]:
        """Of those that were written by then; none while none binds."""
        written = [policy for policy in self._policies if policy.written_us <= now_us]
        return in_force(written, now_us) if any(policy.binds_us <= now_us for policy in written) else ()


def _shares(hold: Hold, first: date, days: int) -> NDArray[np.float32]:
    """How much of each day a hold covers."""
    begins_us = np.array([day_start_us(first) + number * US_PER_DAY for number in range(days)], np.float64)
    covered_us: NDArray[np.float64] = np.minimum(hold.end_us, begins_us + US_PER_DAY) - np.maximum(hold.start_us, begins_us)
    return np.asarray(np.clip(covered_us, 0, US_PER_DAY) / US_PER_DAY, np.float32)
