"""The register: who saw and did what, when, why and with what outcome. Values and the port; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from segments.access import Subject
from segments.model import Span


class Action(StrEnum):
    """What was done, or tried."""

    VIEW = "view"
    EXPORT = "export"
    SEARCH = "search"
    HOLD = "hold"
    CHANGE = "change"
    CONSENT = "consent"
    SIGN_IN = "sign-in"
    AUDIT = "audit"


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing somebody did, or was refused (decree 799, article 16: reason, content, unit and name).

    `what` says it in a few words fit for a reader (`played`, `exported mp4`, `placed hold 12`); `cameras` and `span` are the content,
    `source` the address it came from. It holds no secret and no link.
    """

    at_us: int
    who: Subject
    action: Action
    what: str
    cameras: tuple[str, ...] = ()
    span: Span | None = None
    reason: str = ""
    source: str = ""
    outcome: Outcome = Outcome.DONE
    detail: str = ""


class Register(Protocol):
    """Where acts are written down."""

    async def write(self, act: Act) -> None:
        """Returns when the act survives a power cut; raises TryAgain if it cannot be written now: then what was asked is not done."""


class NoRegister:
    """Writes nothing: for parts under test."""

    async def write(self, act: Act) -> None:
        """See `Register`."""
