"""Consents: one person asks to see sensitive footage, another lets them, for some hours. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from segments.access import Subject, Verb
from segments.audit import Action
from segments.clock import US_PER_DAY, US_PER_HOUR, US_PER_S
from segments.errors import BadInput, Conflict
from segments.model import Camera, Span

CONSENT = "consent"
"""The kind of their records: one for everybody who ever asked, with what they asked lately."""

ASKED_US = US_PER_DAY
"""How long a question waits for an answer."""
KEPT_US = 30 * US_PER_DAY
"""How long an ended consent is still shown to those it concerned; the register has it for good."""
EDGE_US = 10 * US_PER_S
"""Footage is played in pieces of up to so long: one that an end of the span cuts belongs to it."""
LONGEST_US = 31 * US_PER_DAY
MOST_OPEN = 50
"""Most questions and approvals of one asker that stand at once."""


class State(StrEnum):
    """Where a consent stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Consent:
    """What one person asked, and what another said. It lets `asker` do `action` with this span of these cameras, until `until_us`."""

    id: str
    asker: str
    name: str
    unit: str
    action: Action
    cameras: tuple[str, ...]
    start_us: int
    end_us: int
    reason: str
    asked_us: int
    until_us: int
    state: State = State.ASKED
    decided_us: int = 0
    decided_by: str = ""
    decider: str = ""
    """Subject id and name of who approved, refused or withdrew it."""
    why: str = ""

    def state_at(self, now_us: int) -> State:
        """Its state; a question or approval whose time is over has expired."""
        return State.EXPIRED if self.state in (State.ASKED, State.APPROVED) and now_us >= self.until_us else self.state

    def is_open(self, now_us: int) -> bool:
        """Whether something may still come of it."""
        return self.state_at(now_us) in (State.ASKED, State.APPROVED)

    def lets(self, subject_id: str, action: Action, camera: str, span: Span, now_us: int) -> bool:
        """Whether it lets somebody do this now. Who may take footage away may also look at it, not the other way."""
        return (
            self.state_at(now_us) is State.APPROVED
            and self.asker == subject_id
            and (self.action is action or (self.action is Action.EXPORT and action is Action.VIEW))
            and camera in self.cameras
            and self.start_us - EDGE_US <= span.start_us
            and span.end_us <= self.end_us + EDGE_US
        )


def asked(who: Subject, action: Action, cameras: Sequence[str], span: Span, *, reason: str, now_us: int, number: str) -> Consent:
    """A new question; raises BadInput if it asks for nothing, or too much. `number` is random: the id can then not be guessed."""
    if action not in (Action.VIEW, Action.EXPORT):
        raise BadInput("a consent is for `view` or `export`")
    if not cameras:
        raise BadInput("a consent names at least one camera")
    if span.end_us <= span.start_us or span.end_us - span.start_us > LONGEST_US:
        raise BadInput(f"a consent is for a span of at most {LONGEST_US // US_PER_DAY} days, and `to` is later than `from`")
    if not reason.strip():
        raise BadInput("a consent needs a reason, which is shown to the person who decides and kept in the register")
    return Consent(
        id=f"{drawer(who.id)}-{number}",
        asker=who.id,
        name=who.name or who.id,
        unit=who.unit,
        action=action,
        cameras=tuple(dict.fromkeys(cameras)),
        start_us=span.start_us,
        end_us=span.end_us,
        reason=reason.strip(),
        asked_us=now_us,
        until_us=now_us + ASKED_US,
    )


def approved(one: Consent, by: Subject, now_us: int, hours: float) -> Consent:
    """The question, answered with yes; raises Conflict if it is not open any more."""
    return replace(_decided(one, by, now_us, State.APPROVED, ""), until_us=now_us + round(hours * US_PER_HOUR))


def refused(one: Consent, by: Subject, now_us: int, why: str) -> Consent:
    """The question, answered with no; raises Conflict if it is not open any more."""
    return _decided(one, by, now_us, State.REFUSED, why)


def withdrawn(one: Consent, by: Subject, now_us: int, why: str) -> Consent:
    """The question or the approval, taken back; raises Conflict if neither stands."""
    if not one.is_open(now_us):
        raise Conflict(f"consent {one.id} is {one.state_at(now_us)}: there is nothing to withdraw")
    return replace(one, state=State.WITHDRAWN, decided_us=now_us, decided_by=by.id, decider=by.name or by.id, why=why)


def _decided(one: Consent, by: Subject, now_us: int, state: State, why: str) -> Consent:
    if one.state_at(now_us) is not State.ASKED:
        raise Conflict(f"consent {one.id} is {one.state_at(now_us)}: it cannot be {state} any more")
    if by.id == one.asker:
        raise Conflict("a consent is given by a second person: who asks cannot decide")
    return replace(one, state=state, decided_us=now_us, decided_by=by.id, decider=by.name or by.id, why=why)


def may_decide(who: Subject, one: Consent, cameras: Sequence[Camera]) -> bool:
    """Whether somebody is a second person for it: has the right, did not ask, and all its cameras (given) lie in their scope."""
    known = {camera.id: camera for camera in cameras}
    mine = who.scope.everything or all(name in known and who.scope.covers(known[name]) for name in one.cameras)
    return who.id != one.asker and who.may(Verb.CONSENT) and mine


def drawer(subject_id: str) -> str:
    """The id of the record that has what somebody asked, and the beginning of the ids of their consents."""
    return hashlib.sha256(subject_id.encode()).hexdigest()[:24]


def consent_values(one: Consent) -> dict[str, Any]:
    """What its record says; `consent_of` gives it back."""
    return asdict(one)


def consent_of(values: dict[str, Any]) -> Consent:
    """The consent of such values."""
    more = {"action": Action(values["action"]), "state": State(values["state"]), "cameras": tuple(values["cameras"])}
    return Consent(**values | more)
