"""Placing, prolonging and lifting legal holds. A hold binds from the moment its record is written.

Every sweep looks at the records after it has claimed what it deletes. All else that is done here makes known what that comes to: what was
taken back, and what the hold came too late for.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple, Protocol

from retention.held import Covered, archived_camera, cameras_of, covered_cameras
from retention.hold_sites import NO_OTHERS, HoldSites
from retention.rules import Rules, read_rules
from retention.signed import Signed
from retention.taking_back import TakenBack, TakingBack, take_back
from segments.clock import day_of
from segments.errors import BadInput, Conflict, NotFound, TryAgain
from segments.hold import APPROVED, ASKED, FOR_EVER_US, HOLDS, LIFTED, Hold, HoldAtSite, HoldChange, hold_of, hold_values
from segments.model import Camera
from segments.ports import Cameras, Records
from segments.record import Record, new_record

LIFTINGS = "lifting"
"""The kind of the records of liftings that wait for a second person, by hold."""
MOST_CAMERAS = 20_000
"""So many cameras at most are in one hold when it is placed: every look at the holds reads them."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """What is to be held, for which case, and who says so and why."""

    case: str
    reason: str
    by: str
    start_us: int
    end_us: int = FOR_EVER_US
    cameras: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    review: date | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold that binds. `empty_areas` have no camera yet; `back`: what it found on its way to deletion; `sites`: see `HoldSites.tell`."""

    hold: Hold
    cameras: Sequence[str]
    empty_areas: Sequence[str]
    back: TakenBack
    sites: Mapping[str, HoldAtSite] = field(default_factory=dict)


class Lifting(NamedTuple):
    """A hold that was lifted, or (it stands) is to be lifted once another person approves. `sites`: see `HoldSites.tell`."""

    hold: Hold
    waits_for_approval: bool
    sites: Mapping[str, HoldAtSite]


class HoldIndex(TakingBack, Cameras, Records, Protocol):
    """What placing a hold needs of an index."""


class LiftIndex(Cameras, Records, Protocol):
    """What lifting one needs."""


async def place(order: HoldOrder, *, index: HoldIndex, now_us: int, sites: HoldSites = NO_OTHERS) -> Placed:
    """Writes a hold's record, tells the other sites, and then takes back what it covers here.

    Raises BadInput before anything is written: a camera that nobody knows, more than `MOST_CAMERAS`, what `Hold` refuses. After TryAgain
    from the taking back the hold stands and binds: its text names it.
    """
    order = replace(order, areas=tuple(area.strip("/") for area in order.areas))
    seen, empty_areas = await _seen(order, index)
    hold = _ordered(order, seen, now_us)
    await _refuse_unknown(order.cameras, index)
    hold = await _write(hold, index)
    told = await sites.tell(hold)
    covered = await covered_cameras(hold, await read_rules(index), index)
    return Placed(hold, [each.camera.id for each in covered], empty_areas, await _take_back(hold, covered, index, now_us), told)


async def extend(
    hold_id: str,
    signed: Signed,
    *,
    index: HoldIndex,
    end_us: int | None = None,
    review: date | None = None,
    sites: HoldSites = NO_OTHERS,
) -> Placed:
    """Moves the end of a standing hold on, or sets the day it is looked at again. Raises BadInput for an end before the present one.

    Part of the time of a hold cannot be let go: place another one on what is to stay, and lift this one.
    """

    def change(hold: Hold) -> Hold:
        _refuse_lifted(hold)
        if end_us is not None and end_us < hold.end_us:
            raise BadInput(f"hold {hold_id} cannot be made shorter; place another one on what is to stay held, and lift this one")
        what = [f"until {day_of(end_us)}" if end_us < FOR_EVER_US else "without end"] if end_us is not None else []
        what += [f"review {review}"] if review is not None else []
        longer = replace(hold, end_us=hold.end_us if end_us is None else end_us, review=review or hold.review)
        return _noted(longer, signed, " and ".join(what))

    hold = await _change(hold_id, change, index)
    told = await sites.tell(hold)
    covered = await covered_cameras(hold, await read_rules(index), index)
    return Placed(hold, [each.camera.id for each in covered], (), await _take_back(hold, covered, index, signed.now_us), told)


async def lift(hold_id: str, signed: Signed, *, index: LiftIndex, sites: HoldSites = NO_OTHERS) -> Lifting:
    """Lifts a hold. Where the tier of a camera of it asks for two persons, only notes the wish: another person has to approve it, here."""
    _refuse_unsigned(signed)
    hold = hold_of(await index.record(HOLDS, hold_id))
    _refuse_lifted(hold)
    if not await _needs_two(hold, index, signed.now_us):
        lifted = await _change(hold_id, lambda present: _lifted(present, signed), index)
        return Lifting(lifted, waits_for_approval=False, sites=await sites.tell(lifted))
    await _ask(hold_id, signed, index)
    asked = await _change(hold_id, lambda present: _noted(present, signed, ASKED), index)
    return Lifting(asked, waits_for_approval=True, sites=await sites.tell(asked))


async def approve_lift(hold_id: str, *, by: str, index: Records, now_us: int, sites: HoldSites = NO_OTHERS) -> Lifting:
    """Lifts a hold that another person asked to lift; raises NotFound if nobody did, BadInput if it was the same person."""
    asked = (await index.record(LIFTINGS, hold_id)).values
    wish = Signed(asked["by"], asked["reason"], asked["asked_us"])
    if not by.strip():
        raise BadInput("who approves is missing")
    if _same_person(by, wish.by):
        raise BadInput(f"{wish.by} asked to lift hold {hold_id}: another person has to approve it")
    wish, approval = wish._replace(now_us=now_us), Signed(by, wish.reason, now_us)
    lifted = await _change(hold_id, lambda hold: _noted(replace(_lifted(hold, wish), approved_by=by), approval, APPROVED), index)
    return Lifting(lifted, waits_for_approval=False, sites=await sites.tell(lifted))


async def stay_covered(camera: Camera, *, records: Records) -> list[str]:
    """Before a camera is moved or taken out: each standing hold that covers it as it lies now names it from here on. Returns those."""
    told = []
    for record in await records.records(HOLDS):
        hold = hold_of(record)
        if hold.stands and hold.covers(camera) and camera.id not in (*hold.cameras, *hold.seen):
            await _change(hold.id, lambda present: replace(present, seen=tuple(sorted({*present.seen, camera.id}))), records)
            told.append(hold.id)
    return told


# --- placing


async def _seen(order: HoldOrder, index: LiftIndex) -> tuple[tuple[str, ...], list[str]]:
    """The cameras that lie in its areas or did; and areas without any. Former places are read last: they are noted before a move."""
    lying = {area: await cameras_of(area, index) for area in order.areas}
    former = (await read_rules(index)).former
    lay = {
        camera_id: [each.was.area for each in formers]
        for camera_id, formers in former.items()
        if any(_within(each.was.area, order.areas) for each in formers)
    }
    empty = [area for area in order.areas if not lying[area] and not any(_within(was, (area,)) for each in lay.values() for was in each)]
    found = {camera.id for cameras in lying.values() for camera in cameras} | lay.keys()
    if len(found) + len(order.cameras) > MOST_CAMERAS:
        raise BadInput(f"a hold has at most {MOST_CAMERAS} cameras when it is placed; place one for each of the areas below")
    return tuple(sorted(found)), empty


async def _refuse_unknown(cameras: Sequence[str], index: LiftIndex) -> None:
    former = (await read_rules(index)).former
    unknown = [camera for camera in cameras if camera not in former and await archived_camera(camera, index) is None]
    if unknown:
        raise BadInput(f"nobody knows these cameras, now or formerly: {', '.join(unknown)}; `keepsight camera list` shows those there are")


def _ordered(order: HoldOrder, seen: tuple[str, ...], now_us: int) -> Hold:
    return Hold(
        id=f"h-{day_of(now_us):%Y%m%d}-{secrets.token_hex(6)}",
        case=order.case,
        reason=order.reason,
        placed_by=order.by,
        placed_us=now_us,
        start_us=order.start_us,
        end_us=order.end_us,
        cameras=tuple(dict.fromkeys(order.cameras)),
        areas=order.areas,
        seen=seen,
        review=order.review,
    )


async def _write(hold: Hold, index: Records) -> Hold:
    """Under its id, or another one where that is taken."""
    for _ in range(TRIES):
        try:
            await index.put_record(new_record(HOLDS, hold.id, hold_values(hold)))
            return hold
        except Conflict:
            hold = replace(hold, id=f"{hold.id.rpartition('-')[0]}-{secrets.token_hex(6)}")
    raise TryAgain("no free id was found for the hold")


async def _take_back(hold: Hold, covered: Sequence[Covered], index: HoldIndex, now_us: int) -> TakenBack:
    try:
        return await take_back(hold, covered, index=index, now_us=now_us)
    except TryAgain as error:
        raise TryAgain(f"hold {hold.id} stands and binds, but what it came too late for is not known yet: {error}") from error


# --- changing


def _lifted(hold: Hold, signed: Signed) -> Hold:
    _refuse_lifted(hold)
    noted = _noted(hold, signed, LIFTED)
    return replace(noted, lifted_us=noted.changes[-1].at_us, lifted_by=signed.by, lifted_reason=signed.reason)


def _noted(hold: Hold, signed: Signed, what: str) -> Hold:
    """With one more change, which is later than all before, also where those were made by the clocks of other sites."""
    _refuse_unsigned(signed)
    at_us = max([signed.now_us, *(change.at_us + 1 for change in hold.changes)])
    over = tuple(change.mark for change in hold.changes if change.prolongs) if what == LIFTED else ()
    return replace(hold, changes=(*hold.changes, HoldChange(at_us, signed.by, what, signed.reason, over)))


def _refuse_lifted(hold: Hold) -> None:
    if not hold.stands:
        raise Conflict(f"hold {hold.id} was lifted on {day_of(hold.lifted_us)} by {hold.lifted_by}")


def _refuse_unsigned(signed: Signed) -> None:
    if not signed.by.strip() or not signed.reason.strip():
        raise BadInput("changing a hold needs to say who does it, and why")


async def _change(hold_id: str, change: Callable[[Hold], Hold], index: Records) -> Hold:
    """Writes what `change` makes of the present hold, again if somebody was faster; raises what it raises."""
    for _ in range(TRIES):
        record = await index.record(HOLDS, hold_id)
        hold = change(hold_of(record))
        try:
            await index.put_record(record.changed(hold_values(hold)))
            return hold
        except Conflict:
            continue
    raise TryAgain(f"hold {hold_id} is being changed by others")


async def _ask(hold_id: str, signed: Signed, index: Records) -> None:
    values = {"by": signed.by, "reason": signed.reason, "asked_us": signed.now_us}
    try:
        present: Record | None = await index.record(LIFTINGS, hold_id)
    except NotFound:
        present = None
    await index.put_record(present.changed(values) if present else new_record(LIFTINGS, hold_id, values))


async def _needs_two(hold: Hold, index: LiftIndex, now_us: int) -> bool:
    rules = await read_rules(index)
    if not any(tier.two_persons for policy in rules.policies for tier in policy.tiers.values()):
        return False
    return any(_by_two(rules, each, now_us) for each in await covered_cameras(hold, rules, index))


def _by_two(rules: Rules, covered: Covered, now_us: int) -> bool:
    circumstances = rules.circumstances(covered.camera, now_us, archived=covered.archived)
    return any(choice.tier.two_persons for choice in circumstances.chosen)


def _same_person(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _within(area: str, areas: Sequence[str]) -> bool:
    return any(f"{area}/".startswith(f"{outer}/") for outer in areas)
