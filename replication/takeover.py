"""Taking cameras of another site over and giving them back: what is read for the decision, and the order in which it is written down.

Epochs are spent before the record that lets recorders begin. Who dies in between has spent epochs and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from replication.site_record import SiteSeen, read_site
from segments.clock import US_PER_DAY, US_PER_S
from segments.errors import BadInput, NotFound
from segments.keys import parse_run
from segments.model import Camera, Span
from segments.patience import some_at_once
from segments.ports import CameraChanges, Leases, Records, Runs
from segments.takeover import EPOCHS_AHEAD, HEARD_US, Takeover, after_a_while, read_takeover, write_takeover
from segments.timeline import runs_between

log = logging.getLogger(__name__)

RUNS_OF = 64
"""Of so many cameras the runs are looked through for the highest epoch of their site: it is counted over the whole site."""
RUNS_DAYS = 7
_AT_ONCE = 8


class TakeoverIndex(Records, CameraChanges, Runs, Leases, Protocol):
    """What a takeover needs of our index."""


@dataclass(frozen=True, slots=True)
class TakeoverOrder:
    """What somebody wants: these cameras of a site, all of them if none are named, for this reason; as a drill until a moment, or 0."""

    site: str
    cameras: tuple[str, ...]
    by: str
    reason: str
    drill_until_us: int = 0


@dataclass(frozen=True, slots=True)
class TakeoverPlan:
    """What a takeover would be. `cameras` are those that will be recorded here, `disabled` of them are switched off; `before` is the last
    takeover of the site, `seen` what it said last."""

    order: TakeoverOrder
    cameras: tuple[str, ...]
    disabled: int
    after_epoch: int
    seen: SiteSeen
    before: Takeover | None

    def warnings(self, *, camera_key: str, now_us: int) -> list[str]:
        """What a person should know before it is done. `camera_key`: the fingerprint of our key of the camera passwords."""
        found = []
        if not self.order.drill_until_us and now_us - self.seen.heard_us <= HEARD_US:
            found.append(f"{self.order.site} answered a moment ago: it is told, and stops recording these cameras")
        if self.seen.camera_key != camera_key:
            found.append(f"{self.order.site} has another key of the camera passwords: cameras with a password will refuse us")
        if self.seen.conflicts:
            found.append(f"other cameras here have the ids of some of its own, which cannot be recorded: {', '.join(self.seen.conflicts)}")
        return found


async def plan_takeover(order: TakeoverOrder, index: TakeoverIndex, *, now_us: int) -> TakeoverPlan:
    """What taking over would do, changing nothing. Raises NotFound if none of that site's cameras are known here, or one of those named
    is not; BadInput if they are recorded here already."""
    guests = await guests_of(order.site, index)
    if not guests:
        raise NotFound(f"no camera of a site {order.site!r} is known here: it has none, or was never heard (`keepsight site list`)")
    if unknown := sorted(set(order.cameras) - guests.keys()):
        raise NotFound(f"{', '.join(unknown[:5])}: no camera of site {order.site}")
    before = await read_takeover(index, order.site)
    if before is not None and not before.ended_us:
        raise BadInput(f"cameras of {order.site} are recorded here already, by {before.by}: give them back first")
    chosen = [guests[camera] for camera in order.cameras or sorted(guests)]
    seen = await read_site(index, order.site)
    return TakeoverPlan(
        order=order,
        cameras=tuple(camera.id for camera in chosen),
        disabled=sum(not camera.enabled for camera in chosen),
        after_epoch=max(seen.epoch, _epoch_since(before), await epoch_in_runs(order.site, sorted(guests), index, now_us)) + EPOCHS_AHEAD,
        seen=seen,
        before=before,
    )


async def take_over(plan: TakeoverPlan, index: TakeoverIndex, *, now_us: int) -> Takeover:
    """Does it: recorders begin within seconds. Raises Conflict if somebody else does so just now."""
    order = plan.order
    await index.spend_epochs(plan.after_epoch)
    takeover = Takeover(order.site, order.cameras, now_us, order.by, order.reason, plan.after_epoch, order.drill_until_us)
    await write_takeover(index, takeover, before=plan.before)
    log.warning("site.taken-over: cameras of %(site)s are recorded here: %(reason)s", {"site": order.site, "reason": order.reason})
    return takeover


async def give_back(site: str, by: str, index: TakeoverIndex, *, now_us: int) -> Takeover:
    """Begins to give a site's cameras back: it is told to record them, and both do for a while (`HANDOVER_US`); a drill ends at once.

    Raises NotFound if none are recorded here, BadInput if the site does not answer: then nobody would record them.
    """
    before = await read_takeover(index, site)
    if before is None or before.ended_us:
        raise NotFound(f"no camera of site {site!r} is recorded here")
    if before.drill_until_us:
        after = replace(before, given_back_by=by, ended_us=now_us)
    else:
        seen = await read_site(index, site)
        if now_us - seen.heard_us > HEARD_US:
            raise BadInput(f"{site} does not answer: nobody would record its cameras; they go on here")
        after = replace(before, given_back_us=now_us, given_back_by=by, finding="") if not before.given_back_us else before
    if after != before:
        await write_takeover(index, after, before=before)
    return after


async def mend_takeover(seen: SiteSeen, index: Records, *, now_us: int) -> None:
    """Ends a takeover whose home site has had its cameras back for a while, or has it stand again; ends a drill whose time is over."""
    before = await read_takeover(index, seen.site)
    after = None if before is None else after_a_while(before, heard_us=seen.heard_us, now_us=now_us)
    if after is not None and after != before:
        await write_takeover(index, after, before=before)
        told = after.finding or "its cameras are not recorded here any more"
        log.warning("site.given-back: %(site)s: %(told)s", {"site": seen.site, "told": told})


async def guests_of(site: str, index: CameraChanges) -> Mapping[str, Camera]:
    """The cameras of a site that are in our archive."""
    buckets = await some_at_once(index.cameras_in, list(await index.camera_stamps()), _AT_ONCE)
    return {camera.id: camera for bucket in buckets for camera in bucket if camera.home == site}


async def epoch_in_runs(site: str, cameras: Sequence[str], index: Runs, now_us: int) -> int:
    """The highest epoch of a site in the newest runs that are known here of some of its cameras; 0: none are."""
    span = Span(now_us - RUNS_DAYS * US_PER_DAY, now_us + 600 * US_PER_S)
    found = await some_at_once(lambda camera: runs_between(index, camera, span), cameras[:RUNS_OF], _AT_ONCE)
    return max((_epoch_at(site, run.id) for runs in found for run in runs), default=0)


def _epoch_since(before: Takeover | None) -> int:
    """What the home site may have gone up to when it had its cameras again, though it was lost before it said so."""
    return 0 if before is None else before.after_epoch + EPOCHS_AHEAD


def _epoch_at(site: str, run: str) -> int:
    try:
        parsed = parse_run(run)
    except BadInput:
        return 0
    return parsed.epoch if parsed.site == site else 0


def a_share(cameras: Sequence[str], share: float) -> tuple[str, ...]:
    """A share of these cameras, at least one, always the same of the same cameras, and no matter how they are named."""
    count = max(1, math.ceil(len(cameras) * share))
    return tuple(sorted(sorted(cameras, key=lambda camera: hashlib.blake2b(camera.encode(), digest_size=8).digest())[:count]))
