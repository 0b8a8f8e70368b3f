"""One story played through and judged; and the same with a rule taken away, which the judge must see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta, tzinfo

from retention.plan import Circumstances, DayPlan, Verdict, Why, plan_day
from retention.pressure import Kept, PoolSize, Relief, Waiting, relieve
from retention.rules import Rules
from retention.sweep_clock import Reading
from segments.model import Camera, Row
from segments.tier import Term
from tests.retention_sim.civil import DAY
from tests.retention_sim.guard import Guard
from tests.retention_sim.oracle import Judgement, Oracle
from tests.retention_sim.site import Deciders
from tests.retention_sim.story import CAMERAS, tell
from tests.retention_sim.sweeper import Sweeper

PRODUCT = Deciders()


def try_story(seed: int, deciders: Deciders = PRODUCT, *, cameras: int = CAMERAS) -> Judgement:
    """Tells, sweeps and judges."""
    story = tell(seed, cameras)
    log = Sweeper(story, deciders).run()
    found = Oracle(story).judge(log.deleted, log.breaches_us)
    found.met["rounds held by the clock"] += log.held_rounds
    found.met["segments taken back"] += log.taken_back
    found.met["breaches"] += len(log.breaches_us)
    return found


class HourTerm(Term):
    """Counts hours from the end of the segment."""

    def over_us(self, end_us: int, zone: tzinfo) -> int:
        """Thirty days are 720 hours."""
        return end_us + (max(self.days, self.months * 30) + self.more_days) * DAY


class ClippedTerm(Term):
    """Ends months early, so as never to meet one that is too short."""

    def last_day(self, day: date) -> date:
        """As if it had begun on the 28th at the latest."""
        clipped = super().last_day(day.replace(day=min(day.day, 28)))
        return max(clipped, day + timedelta(self.days) + timedelta(self.more_days))


class LongTerm(Term):
    """Counts a month as a month and a day, and everything ten days longer."""

    def over_us(self, end_us: int, zone: tzinfo) -> int:
        """Late."""
        return super().over_us(end_us, zone) + 10 * DAY


class BelievingGuard(Guard):
    """Takes every clock as it is."""

    def trusts(self, reading: Reading) -> bool:
        """Always."""
        return True


def without_holds(rules: Rules) -> Rules:
    """Nobody looks at holds."""
    return replace(rules, holds=[])


def without_notice(rules: Rules) -> Rules:
    """The newest policy binds as it is written."""
    standing = [policy for policy in rules.policies if not policy.withdrawn_us]
    return replace(rules, policies=[replace(standing[-1], binds_us=0, written_us=0)])


def without_former(rules: Rules) -> Rules:
    """A camera counts for what it is."""
    return replace(rules, former={})


def plan_under_the_floor(camera: Camera, day: date, rows: list[Row], around: Circumstances) -> DayPlan:
    """What is pressed goes, whatever its floor."""
    plan = plan_day(camera, day, rows, around)
    if not around.pressed:
        return plan
    verdicts = [(row, Verdict(Why.PRESSURE, each.due) if each.why is Why.FLOOR else each) for row, each in plan.verdicts]
    return DayPlan(camera.id, day, verdicts)


def plan_pressed_without_copies(camera: Camera, day: date, rows: list[Row], around: Circumstances) -> DayPlan:
    """What is pressed goes, copy or not."""
    return plan_day(camera, day, rows, replace(around, short=()) if around.pressed else around)


def relieve_by_what_waits(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    """Takes what waits for a copy as if it gave room."""
    return relieve(pool, size, kept, already=already)


def relieve_under_the_floor(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    """Takes what is nearest to its floor where nothing else is left."""
    days = [*kept.early, *(day._replace(floor_us=0) for day in kept.bound)]
    return relieve(pool, size, Kept(kept.now_us, days), already=already, waiting=waiting)


def relieve_in_silence(pool: str, size: PoolSize, kept: Kept, *, already: bool, waiting: Waiting) -> Relief:
    """Tells nobody of a breach."""
    return relieve(pool, size, kept, already=already, waiting=waiting)._replace(breach=None)


STRIPPED: Mapping[str, tuple[str, Deciders]] = {
    "hours instead of civil days": ("before the floor", replace(PRODUCT, term=HourTerm)),
    "month ends clipped wrong": ("before the floor", replace(PRODUCT, term=ClippedTerm)),
    "terms run too long": ("after the ceiling", replace(PRODUCT, term=LongTerm)),
    "hold ignored": ("under a hold", replace(PRODUCT, rules=without_holds)),
    "notice ignored": ("before the floor", replace(PRODUCT, rules=without_notice)),
    "former belonging ignored": ("before the floor", replace(PRODUCT, rules=without_former)),
    "pressure under the floor": ("before the floor", replace(PRODUCT, plan=plan_under_the_floor, relieve=relieve_under_the_floor)),
    "pressure without copies": (
        "without its copy",
        replace(PRODUCT, plan=plan_pressed_without_copies, relieve=relieve_by_what_waits),
    ),
    "pressure in silence": ("full in silence", replace(PRODUCT, relieve=relieve_in_silence)),
    "clock jump believed": ("before the floor", replace(PRODUCT, guard=BelievingGuard)),
}
"""Rules taken away, each with what the judge must find."""
