"""Duties: work that is divided into shards, each done by one place at a time. Recording is one kind; sweeps, copies and checks are others.

A *place* is a process that does duties (an uploader, for the recorders of its node). Where each duty should be done is data (`Placing`);
that it is done by one place at a time is what leases are for (`segments.model.Lease`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from segments.errors import BadInput

if TYPE_CHECKING:
    from segments.model import Lease

RECORD = {"a": "record-a", "b": "record-b"}
"""The kinds of recording duty by lane. Lane b records, beside lane a and on another node, the cameras that are recorded twice."""
LANE_OF = {kind: lane for lane, kind in RECORD.items()}
"""The lane of a kind of recording duty."""
SUPERVISE = "supervise"
"""The duty, of one shard, of placing all other duties. It needs no placing itself: every place that does this kind stands by for it."""
_DUTY = re.compile(r"(?P<kind>[a-z][a-z-]{0,31})\.(?P<shard>\d{1,6})-of-(?P<of>\d{1,6})")


@dataclass(frozen=True, slots=True, order=True)
class Duty:
    """One shard of one kind of work; `of` says into how many shards the work is divided. Written `record-a.3-of-8`."""

    kind: str
    shard: int = 0
    of: int = 1

    def __str__(self) -> str:
        return f"{self.kind}.{self.shard}-of-{self.of}"


def parse_duty(text: str) -> Duty:
    """Takes a duty's name apart; raises BadInput."""
    found = _DUTY.fullmatch(text)
    if found is None or int(found["shard"]) >= int(found["of"]):
        raise BadInput(f"{text!r} is not the name of a duty")
    return Duty(found["kind"], int(found["shard"]), int(found["of"]))


@dataclass(frozen=True, slots=True)
class Place:
    """What a place says of itself every second or so, and whether an administrator wants it emptied (`draining`).

    `name` is its node's name, unique in the site; `url` the address of its internal routes; `kinds` the kinds of duty it does; `recorders`
    how many are connected; `room` how many cameras they carry at most and `load` how many they carry; `spooled` the shards (of `of`, over
    both lanes) of cameras whose footage lies in its spool. `beat` rises with every report: who watches it needs no clock of the place.
    """

    name: str
    url: str
    kinds: tuple[str, ...]
    recorders: int
    room: int
    load: int
    spooled: tuple[int, ...]
    of: int
    beat: int
    draining: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Placing:
    """A duty that a place should do, or stand by for: a place that stands by takes it the moment its lease may be taken."""

    duty: Duty
    place: str
    standby: bool = False


class DutyHandler(Protocol):
    """What does one kind of duty at a place. Calls come from the place's one event loop, must not block, and must not raise."""

    def held(self, lease: Lease, *, resumed: bool) -> None:
        """The duty is ours, in this epoch. `resumed`: in the epoch it was ours in before this process; the lease is as it was left."""

    def stands(self, lease: Lease, left_s: float, *, answers: bool) -> None:
        """Said about each second and after each renewal: how long the lease still holds by our own clock, and whether the index answers.

        While the index does not answer, the duty goes on (nobody else can be given a higher epoch). If it answers and `left_s` is not
        above 0, another may have it: stop until told better.
        """

    def lost(self, duty: Duty, *, linger_s: float) -> None:
        """The duty is ours no more; end it after so many seconds (0: now). A successor begins meanwhile."""
