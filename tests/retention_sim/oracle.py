"""Judges what was deleted and what was kept of a story, by the rules as they are written down, without the code that follows them.

Early: before the floor; before the due moment without need for room; under a hold; while a copy is missing and the ceiling is not reached.
Late: more than a day of sweeps after the ceiling, no hold standing. What counts at a moment is the longest of the policy that binds, of
those announced, and of all that a camera was until changes whose notice runs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from tests.retention_sim.civil import DAY, HOUR, over_us
from tests.retention_sim.story import TIERS, HoldTold, PolicyTold, Shot, Story, TierTold, Was

STEADY = 7 * HOUR
"""After a clock was set right, sweeps may wait so long until they trust it."""
LATE = DAY


class Deleted(NamedTuple):
    """A segment that went."""

    shot: Shot
    at_us: int


@dataclass
class Judgement:
    """What was found: violations by kind with an example each, how many camera-days were judged, and how late all were, in hours."""

    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    camera_days: int = 0
    met: Counter[str] = field(default_factory=Counter)
    late_h: list[float] = field(default_factory=list)

    def blame(self, kind: str, example: str) -> None:
        """One more violation."""
        self.wrong[kind] += 1
        self.examples.setdefault(kind, example)


class Oracle:
    """The reading of the rules for one story."""

    def __init__(self, story: Story) -> None:
        self._story = story
        out = [(each.from_us, each.until_us) for each in story.outages]
        self._out = sorted(out + [(each.from_us, each.until_us + STEADY) for each in story.skews])
        self._edges = {camera: self._all_edges(camera) for camera in story.cameras}
        self._terms: dict[tuple[str, int], tuple[TierTold, ...]] = {}

    def judge(self, deleted: Sequence[Deleted], breaches_us: Sequence[int]) -> Judgement:
        """All that went, and all that is left at the end of the story."""
        found = Judgement(camera_days=len({(shot.camera, shot.start_us // DAY) for shot in self._story.shots}))
        kept_bytes = self._kept_bytes(deleted)
        for one in deleted:
            self._judge_deletion(one, kept_bytes, found)
        gone = {one.shot for one in deleted}
        if len(gone) < len(deleted):
            found.blame("deleted twice", "")
        for shot in self._story.shots:
            if shot not in gone and shot.stored_us < self._story.end_us:
                self._judge_survivor(shot, found)
        if self._story.pool_bytes:
            self._judge_breaches(kept_bytes, breaches_us, found)
        return found

    def _judge_deletion(self, one: Deleted, kept_bytes: _Tally, found: Judgement) -> None:
        shot, at_us = one
        terms = self._tiers_at(shot.camera, at_us)
        floor_us, keep_us, ceiling_us = (self._over(shot, terms, place) for place in range(3))
        example = f"story {self._story.seed}, {self._story.zone}: {shot} at {at_us}, floor {floor_us}, due {keep_us}, ceiling {ceiling_us}"
        if any(self._held(hold, shot, at_us) for hold in self._story.holds):
            found.blame("under a hold", example)
        if at_us < floor_us:
            found.blame("before the floor", example)
        elif at_us < keep_us:
            found.met["deleted under pressure"] += 1
            if shot.copied_us > at_us:
                found.blame("without its copy", example)
            if not kept_bytes.was_above(self._story.pool_bytes * 9 // 10, at_us):
                found.blame("before it was due", example)
        elif at_us < ceiling_us and shot.copied_us > at_us:
            found.blame("without its copy", example)
        else:
            found.met["deleted when due"] += 1
            found.late_h.append(self._late_us(shot, at_us, 1) / HOUR)
        if self._late_us(shot, at_us, 2) > LATE:
            found.blame("after the ceiling", example)

    def _judge_survivor(self, shot: Shot, found: Judgement) -> None:
        end_us = self._story.end_us
        found.met["left at the end"] += 1
        if self._late_us(shot, end_us, 2) > LATE:
            found.blame("after the ceiling", f"story {self._story.seed}: {shot} is still there")
        if any(self._held(hold, shot, end_us) for hold in self._story.holds):
            found.met["held at the end"] += 1

    def _late_us(self, shot: Shot, at_us: int, place: int) -> int:
        """For how long, up to this moment, without a break, it ought to have been gone: by its due moment (1) or its ceiling (2)."""
        late_from_us = upper_us = at_us
        for edge_us in reversed(self._edges_before(shot, at_us)):
            over_us_ = self._over(shot, self._tiers_at(shot.camera, edge_us), place)
            begins_us = max(edge_us, over_us_, shot.stored_us, 0 if place == 2 else min(shot.copied_us, at_us))
            if begins_us >= upper_us or self._stays(shot, edge_us):
                break
            late_from_us = upper_us = begins_us
            if begins_us > edge_us:
                break
        return at_us - late_from_us

    def _stays(self, shot: Shot, at_us: int) -> bool:
        return any(self._held(hold, shot, at_us) for hold in self._story.holds) or any(begin <= at_us < end for begin, end in self._out)

    def _edges_before(self, shot: Shot, at_us: int) -> list[int]:
        edges = self._edges[shot.camera]
        return edges[: bisect_right(edges, at_us - 1)]

    def _all_edges(self, camera: str) -> list[int]:
        """The moments at which anything that counts for a camera may change."""
        story = self._story
        edges = {0} | {each for stretch in self._out for each in stretch}
        edges |= {moment for policy in story.policies for moment in (policy.written_us, policy.binds_us, policy.withdrawn_us)}
        edges |= {moment for hold in story.holds for moment in (hold.placed_us, hold.lifted_us)}
        edges |= {moment for was in story.cameras[camera] for moment in (was.from_us, was.former_until_us)}
        return sorted(edges)

    def _held(self, hold: HoldTold, shot: Shot, at_us: int) -> bool:
        if not hold.placed_us <= at_us < hold.lifted_us or hold.start_us >= shot.end_us or hold.end_us <= shot.start_us:
            return False
        area = self._story.camera_at(shot.camera, at_us).area.split("/")
        inside = any(area[: len(outer.split("/"))] == outer.split("/") for outer in hold.areas)
        return inside or shot.camera in hold.cameras or shot.camera in hold.seen

    def _over(self, shot: Shot, tiers: Sequence[TierTold], place: int) -> int:
        return max(over_us(shot.end_us, tier[place], self._story.zone) for tier in tiers)

    def _tiers_at(self, camera: str, at_us: int) -> tuple[TierTold, ...]:
        """All tiers that count for a camera at a moment."""
        key = camera, bisect_right(self._edges[camera], at_us)
        if key not in self._terms:
            names = {_tier(policy, was) for policy in self._policies_at(at_us) for was in self._lives_at(camera, at_us)}
            self._terms[key] = tuple(TIERS[name] for name in sorted(names))
        return self._terms[key]

    def _policies_at(self, at_us: int) -> Iterator[PolicyTold]:
        known = [each for each in self._story.policies if each.written_us <= at_us and not 0 < each.withdrawn_us <= at_us]
        bound = [each for each in known if each.binds_us <= at_us]
        yield from bound[-1:] or self._story.policies[:1]
        yield from (each for each in known if each.binds_us > at_us)

    def _lives_at(self, camera: str, at_us: int) -> Iterator[Was]:
        lives = [was for was in self._story.cameras[camera] if was.from_us <= at_us]
        yield lives[-1]
        yield from (before for before, after in pairwise(lives) if at_us < after.former_until_us)

    def _kept_bytes(self, deleted: Sequence[Deleted]) -> _Tally:
        changes = [(shot.stored_us, shot.stored_bytes) for shot in self._story.shots]
        return _Tally(changes + [(one.at_us, -one.shot.stored_bytes) for one in deleted])

    def _judge_breaches(self, kept_bytes: _Tally, breaches_us: Sequence[int], found: Judgement) -> None:
        """For ten days above the high mark, sweeps going all the time, and nobody was told."""
        high_bytes = self._story.pool_bytes * 95 // 100
        above = [at_us for at_us in range(self._story.start_us + 10 * DAY, self._story.end_us, DAY) if kept_bytes.at(at_us) > high_bytes]
        found.met["days above the high mark"] += len(above)
        days = set(above)
        for at_us in above:
            ten = range(at_us - 9 * DAY, at_us + DAY, DAY)
            broken = any(begin - DAY < at_us and at_us - 10 * DAY < end for begin, end in self._out)
            told = any(at_us - 12 * DAY <= breach_us <= at_us for breach_us in breaches_us)
            if days.issuperset(ten) and not broken and not told:
                found.blame("full in silence", f"story {self._story.seed} at {at_us}")


class _Tally:
    """How many bytes were kept at each moment."""

    def __init__(self, changes: Sequence[tuple[int, int]]) -> None:
        ordered = sorted(changes)
        self._times = [at_us for at_us, _ in ordered]
        self._sums = [0, *accumulate(change for _, change in ordered)]

    def at(self, at_us: int) -> int:
        return self._sums[bisect_right(self._times, at_us)]

    def was_above(self, mark_bytes: int, at_us: int) -> bool:
        """Within the three days before: an order to make room is carried out in less."""
        first, last = bisect_right(self._times, at_us - 3 * DAY), bisect_right(self._times, at_us)
        return bool(mark_bytes) and max(self._sums[first : last + 1]) > mark_bytes


def _tier(policy: PolicyTold, was: Was) -> str:
    """Its own tier, else its deepest area's, else its class's, else the default."""
    places: Mapping[str, str] = policy.areas
    around = [name for area, name in sorted(places.items(), key=lambda each: len(each[0])) if (was.area + "/").startswith(area + "/")]
    own = was.tier if was.tier in TIERS else ""
    return own or (around[-1] if around else "") or policy.classes.get(was.number, "") or policy.default
