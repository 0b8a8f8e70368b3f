"""Takeovers: which site records a camera, so that the cameras of a site that is lost are recorded by another. Values, and pure deciders.

Both sides keep a record of a takeover. At the site that records in another's place it is of kind `takeover`, under the name of the site
whose cameras they are; there it is of kind `taken`, under the name of the site that records them. In doubt both record: footage that is
there twice costs room, footage that is nowhere cannot be had any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple, TypeVar

from segments.clock import US_PER_S
from segments.errors import Conflict, DataDamaged, NotFound
from segments.model import Camera, Span
from segments.ports import Records
from segments.record import Record, new_record

log = logging.getLogger(__name__)

TAKEOVER = "takeover"
"""The kind of the records of those we record in another site's place, one a site."""
TAKEN = "taken"
"""The kind of the records of ours that others record in our place, one a site that does."""

EPOCHS_AHEAD = 1_000_000
"""A site that takes cameras over, or has them again, goes on so far above the other's highest epoch that it knows of: the other may go on
unseen, and an epoch is spent at each start and each move of a shard only."""
HANDOVER_US = 60 * US_PER_S
"""So long both sites record after a takeover was given back: the home site learns of it within seconds, and opens its cameras."""
HEARD_US = 15 * US_PER_S
"""A site that was heard so lately is there."""
SILENT_US = 30 * US_PER_S
"""A site that records in our place and was not heard for so long does so no more, as far as we know."""
WITNESS_HEARS_US = 60 * US_PER_S
"""A witness that has not heard us for so long is no witness: it may have been away itself."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """Cameras recorded in the place of their home `site`; no `cameras`: all of them.

    They are recorded in epochs above `after_epoch`. `drill_until_us`: it is a drill until then, in
    which the home site goes on and is not told; 0: it is none. `given_back_us`: from then on the home
    site is told that it records them again, while we go on; `ended_us`: we do not any more. 0: not yet. `finding` is for people.
    """

    site: str
    cameras: tuple[str, ...]
    since_us: int
    by: str
    reason: str
    after_epoch: int
    drill_until_us: int = 0
    given_back_us: int = 0
    given_back_by: str = ""
    ended_us: int = 0
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """Cameras of ours that `site` records in our place; no `cameras`: all of them. `ended_us`: it does not any more; 0: it does.

    Afterwards they are recorded here in epochs above `after_epoch`.
    """

    site: str
    cameras: tuple[str, ...]
    since_us: int
    ended_us: int = 0
    after_epoch: int = 0
    finding: str = ""


V = TypeVar("V", Takeover, Taken)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """All takeovers of a site, ended ones included: those of others' cameras by their home, those of its own by who records them."""

    takeovers: Mapping[str, Takeover] = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)


ALONE = Standing()
"""Of a site without takeovers."""


# --- who records


def recorded_here(camera: Camera, standing: Standing) -> bool:
    """Whether this site is to record a camera: its own unless another site records it in our place, others' if we do so in theirs."""
    if not camera.home:
        return not any(not taken.ended_us and covers(taken.cameras, camera.id) for taken in standing.taken.values())
    takeover = standing.takeovers.get(camera.home)
    return takeover is not None and not takeover.ended_us and covers(takeover.cameras, camera.id)


def recorded_after(camera: Camera, standing: Standing) -> int:
    """The epoch above which a camera is recorded here: where two sites have recorded it, the footage of the later one shows
    (segments/timeline.py: `footage_rank`)."""
    if not camera.home:
        return max((taken.after_epoch for taken in standing.taken.values() if covers(taken.cameras, camera.id)), default=0)
    takeover = standing.takeovers.get(camera.home)
    return takeover.after_epoch if takeover is not None else 0


def recorded_elsewhere(camera: Camera, standing: Standing, now_us: int) -> list[Span]:
    """When another site was to record a camera, as far as it is known: of each takeover the last one is."""
    if not camera.home:
        ours = [taken for taken in standing.taken.values() if covers(taken.cameras, camera.id)]
        return sorted(Span(taken.since_us, taken.ended_us or now_us) for taken in ours)
    takeover = standing.takeovers.get(camera.home)
    if takeover is None or not covers(takeover.cameras, camera.id):
        return [Span(0, now_us)]
    before = Span(0, takeover.since_us)
    return [before, Span(takeover.ended_us, now_us)] if takeover.ended_us else [before]


def covers(cameras: Collection[str], camera: str) -> bool:
    """Whether a camera is among these; none stand for all."""
    return not cameras or camera in cameras


def told_home(takeover: Takeover | None) -> Sequence[str] | None:
    """What the home site is told we record in its place (see `replication.ports.AskSite.taken_over`)."""
    stands = takeover is not None and not (takeover.ended_us or takeover.given_back_us or takeover.drill_until_us)
    return takeover.cameras if takeover is not None and stands else None


def after_a_while(takeover: Takeover, *, heard_us: int, now_us: int) -> Takeover:
    """What becomes of a takeover by itself: one that was given back ends if the home site is there; if not, it stands again, for nobody
    else records. A drill ends in time, whatever became of who held it."""
    if takeover.drill_until_us and not takeover.ended_us and now_us >= takeover.drill_until_us:
        return replace(takeover, ended_us=now_us)
    if takeover.ended_us or not takeover.given_back_us or now_us - takeover.given_back_us < HANDOVER_US:
        return takeover
    if now_us - heard_us <= HEARD_US:
        return replace(takeover, ended_us=now_us, finding="")
    return replace(takeover, given_back_us=0, finding="it was given back, but its home site fell silent: it goes on here")


class Answer(NamedTuple):
    """What a site says of ours that it records (see `told_home`), if it has `answered` at all; the highest epoch it is known to have given
    out; when it last answered, and the moment of this look."""

    cameras: Sequence[str] | None
    epoch: int
    heard_us: int
    now_us: int
    answered: bool = True


def after_answer(site: str, known: Taken | None, answer: Answer) -> Taken | None:
    """What is to be written down of a site that may record ours, after it was asked; what was known if that has not changed.

    A site that does not answer is believed for `SILENT_US`, then its cameras are recorded here: it may be lost itself.
    """
    stands = known is not None and not known.ended_us
    if not answer.answered:
        if known is not None and stands and answer.now_us - answer.heard_us >= SILENT_US:
            return _ended(known, answer, f"{site} does not answer: what it recorded in our place is recorded here")
        return known
    if answer.cameras is None:
        return _ended(known, answer, "") if known is not None and stands else known
    cameras = tuple(sorted(answer.cameras))
    if known is not None and stands and known.cameras == cameras:
        return known
    return Taken(site, cameras, answer.now_us, after_epoch=_above(known, answer))


def _ended(known: Taken, answer: Answer, finding: str) -> Taken:
    return replace(known, ended_us=answer.now_us, after_epoch=_above(known, answer), finding=finding)


def _above(known: Taken | None, answer: Answer) -> int:
    return max(answer.epoch + EPOCHS_AHEAD, known.after_epoch if known is not None else 0)


# --- without a person


class Silence(NamedTuple):
    """How long a site was not heard. `asking_since_us`: since when we have asked it and the witness, without a break of ours."""

    heard_us: int
    asking_since_us: int
    now_us: int


class Witness(NamedTuple):
    """What a third site says, by its own clock `now_us`: when it last heard the silent site, and us; 0: never. `records`: it records the
    silent site's cameras already."""

    now_us: int
    heard_it_us: int
    heard_us_us: int
    records: bool


def why_not_taken_over(silence: Silence, witness: Witness | None, *, after_s: int) -> str:
    """Why a silent site is not to be taken over without a person; '' if it is: neither we nor the witness have heard it for so long."""
    after_us = after_s * US_PER_S
    if not silence.heard_us:
        return "it was never heard: its cameras are not known here"
    if silence.now_us - max(silence.heard_us, silence.asking_since_us) < after_us:
        return f"it was heard, or is asked, since less than {after_s} s"
    if witness is None:
        return "the witness does not answer: we may be cut off ourselves"
    if witness.now_us - witness.heard_us_us > WITNESS_HEARS_US:
        return "the witness has not heard us lately: it may have been cut off itself"
    if not witness.heard_it_us:
        return "the witness has never heard it"
    if witness.now_us - witness.heard_it_us < after_us:
        return f"the witness has heard it less than {after_s} s ago"
    return "the witness records its cameras already" if witness.records else ""


# --- as records


async def read_standing(records: Records) -> Standing:
    """All takeovers there are records of. One that cannot be read does not count: recording goes on by the others."""
    takeovers, taken = await asyncio.gather(records.records(TAKEOVER), records.records(TAKEN))
    return Standing(_readable(takeovers, takeover_of), _readable(taken, taken_of))


def _readable(records: Sequence[Record], read: Callable[[Record], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for record in records:
        try:
            found[record.id] = read(record)
        except DataDamaged as error:
            log.error("takeover.damaged: %s", error)
    return found


async def read_takeover(records: Records, site: str) -> Takeover | None:
    """The last takeover of a site's cameras, None if there never was one."""
    found = await _found(records, TAKEOVER, site)
    return None if found is None else takeover_of(found)


async def read_taken(records: Records, site: str) -> Taken | None:
    """The last takeover of ours by a site, None if there never was one."""
    found = await _found(records, TAKEN, site)
    return None if found is None else taken_of(found)


async def write_takeover(records: Records, takeover: Takeover, *, before: Takeover | None) -> None:
    """Writes a takeover in the place of the one before; raises Conflict if somebody else has changed it meanwhile."""
    present = await _found(records, TAKEOVER, takeover.site)
    if (None if present is None else takeover_of(present)) != before:
        raise Conflict(f"the takeover of {takeover.site} was changed by somebody else just now: look again")
    values = asdict(takeover)
    await records.put_record(new_record(TAKEOVER, takeover.site, values) if present is None else present.changed(values))


async def write_taken(records: Records, taken: Taken, *, before: Taken | None) -> None:
    """The same of ours that are recorded by others."""
    present = await _found(records, TAKEN, taken.site)
    if (None if present is None else taken_of(present)) != before:
        raise Conflict(f"what {taken.site} records in our place was changed by somebody else just now: look again")
    values = asdict(taken)
    await records.put_record(new_record(TAKEN, taken.site, values) if present is None else present.changed(values))


def takeover_of(record: Record) -> Takeover:
    """A takeover from its record; what a later version has added is left out. Raises DataDamaged."""
    return _value_of(record, Takeover)


def taken_of(record: Record) -> Taken:
    """The same of ours."""
    return _value_of(record, Taken)


def _value_of(record: Record, kind: type[V]) -> V:
    values = {name: value for name, value in record.values.items() if name in kind.__dataclass_fields__}
    try:
        return kind(**{**values, "cameras": tuple(values["cameras"])})
    except (TypeError, KeyError):
        raise DataDamaged(f"record {record.kind} {record.id} does not say all that it should") from None


async def _found(records: Records, kind: str, record_id: str) -> Record | None:
    try:
        return await records.record(kind, record_id)
    except NotFound:
        return None
