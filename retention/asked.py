"""What the routes of retention are asked with, and what they stand on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Protocol, cast
from urllib.parse import unquote

from fastapi import Depends, Header, HTTPException, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from retention.copies import NO_COPIES, Copies
from retention.hold_sites import NO_OTHERS, HoldSites
from retention.policies import PolicyLimits
from segments.access import Reach, Subject, Verb
from segments.clock import Clock
from segments.errors import BadInput
from segments.keys import CAMERA_ID
from segments.ports import (
    Batches,
    BatchRows,
    CameraChanges,
    Cameras,
    Partitions,
    ReadReceipts,
    ReadRows,
    Records,
    Runs,
    States,
    Usage,
    WriteRows,
)
from segments.receipt import Receipt

MAX_TEXT = 1_000

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class RouteIndex(
    ReadRows,
    WriteRows,
    Runs,
    States,
    Batches,
    BatchRows,
    Partitions,
    Usage,
    ReadReceipts,
    Records,
    Cameras,
    CameraChanges,
    Protocol,
):
    """What the routes need of the index."""

    async def last_receipt(self, chain: str) -> Receipt | None:
        """See `WriteReceipts`; nothing is written to chains here."""


class Door(Protocol):
    """Makes what stands before a route that wants to do this, and reaches so far."""

    def __call__(self, verb: Verb, *, reach: Reach) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """What stands before routes, by what they want to do; what stands before costly ones besides; how the description tells of problems."""

    before: Door
    costly: Any
    described: Callable[..., dict[int | str, dict[str, Any]]]

    def look(self, *statuses: int, reach: Reach = Reach.SITE, costly: bool = False) -> dict[str, Any]:
        """The options of a route that looks, and can end in these problems."""
        before = [*self.before(Verb.INSPECT, reach=reach), *([self.costly] if costly else [])]
        return {"dependencies": before, "responses": self.described(*statuses)}

    def change(self, verb: Verb, *statuses: int, reach: Reach = Reach.SITE) -> dict[str, Any]:
        """The same of a route that changes something; a body that is no text is a 400."""
        return {"dependencies": list(self.before(verb, reach=reach)), "responses": self.described(400, *statuses)}


@dataclass(frozen=True, slots=True)
class RetentionServices:
    """What the routes are given. `sites` are told of holds, `copies` is asked what footage waits for."""

    index: RouteIndex
    clock: Clock
    limits: PolicyLimits
    sites: HoldSites = NO_OTHERS
    copies: Copies = NO_COPIES


def services_of(request: Request) -> RetentionServices:
    """Those of the application that answers this request."""
    return cast("RetentionServices", request.app.state.retention)


def asker(request: Request) -> Subject:
    """Who asks, as what stands before the route found out."""
    return cast("Subject", request.state.subject)


Asker = Annotated[Subject, Depends(asker)]
Said = Annotated[
    str | None,
    Header(
        alias="Keepsight-By",
        min_length=1,
        max_length=384,
        description="Who asks, where the service does not know it: with the token of the site, or none. UTF-8, percent-encoded",
    ),
]


def who(subject: Asker, said: Said = None) -> str:
    """The person a request is made for: who it is known to be, else who it says. Names beyond ASCII are percent-encoded (RFC 3986, 2.1)."""
    name = said_name(said) if said is not None else ""
    if not subject.name and not name:
        raise BadInput("header Keepsight-By: say who you are")
    if subject.name and name not in ("", subject.name):
        raise BadInput(f"header Keepsight-By: you are known as {subject.name}; leave the header out")
    return subject.name or name


def forbidden(sentence: str) -> HTTPException:
    """The refusal (403) of what somebody has the right to do, but not to this."""
    return HTTPException(403, sentence)


def said_name(said: str) -> str:
    """The name that a header says; raises BadInput."""
    try:
        by = unquote(said, errors="strict").strip()
    except UnicodeDecodeError:
        raise BadInput("header Keepsight-By: not UTF-8, percent-encoded") from None
    if not by or len(by) > 128 or _CONTROL.search(by):
        raise BadInput("header Keepsight-By: 1 to 128 characters that say who you are")
    return by


def _day(text: object) -> date:
    if not isinstance(text, str) or _DAY.fullmatch(text) is None:
        raise ValueError("must be a day, like 2026-01-31")
    return date.fromisoformat(text)


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a moment as text, like 2026-01-31T08:00:00Z")  # noqa: TRY004 - what pydantic makes a 422
    return value


Given = Annotated[RetentionServices, Depends(services_of)]
By = Annotated[str, Depends(who)]
CameraId = Annotated[str, Path(alias="camera", pattern=f"^{CAMERA_ID.pattern}$", description="Id of a camera")]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day of a query or a body, as 2026-01-31."""
Moment = Annotated[AwareDatetime, BeforeValidator(_text)]
"""A moment of a body, as 2026-01-31T08:00:00Z; a number, which has no zone, is none."""
DayQuery = Annotated[Day | None, Query(description="A UTC day")]


class Body(BaseModel):
    """What a change is asked with; what is not of it is refused."""

    model_config = ConfigDict(extra="forbid")


class Reason(Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=MAX_TEXT)
