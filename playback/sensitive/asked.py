"""What the routes of sensitive footage are asked with, and what they answer."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field

from playback.access import subject_of
from playback.asked import Moment
from playback.sensitive.acting import Acting
from playback.sensitive.consent import Consent
from playback.sensitive.declared import Declaration, Kind
from playback.services import Services
from segments.clock import iso
from segments.keys import CAMERA_ID

MAX_REASON = 1000

ConsentId = Annotated[str, Path(alias="consent", pattern=r"^[0-9a-f]{24}-[0-9a-f]{16}$", description="Id of a consent")]
DeclaredId = Annotated[str, Path(alias="declaration", pattern=r"^[a-z]+-[0-9a-f]{16}$", description="Id of a declaration")]
_Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON)]
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]


class Body(BaseModel):
    """What a change is asked with; what is not of it is refused."""

    model_config = ConfigDict(extra="forbid")


class ConsentWanted(Body):
    """Which footage somebody asks for, to do what, and why."""

    cameras: list[_Camera] = Field(min_length=1, max_length=100)
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    reason: _Reason
    action: Literal["view", "export"] = Field(description="`export` lets also look")


class Why(Body):
    """Why a consent is refused or withdrawn."""

    reason: _Reason


class SensitiveWanted(Body):
    """What is to be sensitive, and why."""

    kind: Kind
    name: str = Field(min_length=1, max_length=512, description="Id of the camera or hold, or path of the area")
    reason: _Reason


class ConsentView(BaseModel):
    """A consent as those see it whom it concerns."""

    id: str
    state: str = Field(description="asked, approved, refused, withdrawn or expired")
    action: str
    cameras: list[str]
    start: str = Field(alias="from", json_schema_extra={"format": "date-time"})
    end: str = Field(alias="to", json_schema_extra={"format": "date-time"})
    reason: str
    asker: str = Field(description="Name of who asked")
    unit: str
    asked: str = Field(json_schema_extra={"format": "date-time"})
    until: str = Field(json_schema_extra={"format": "date-time"}, description="When the question, or the approval, expires")
    decider: str = Field(description="Name of who approved, refused or withdrew it")
    decided: str | None = Field(json_schema_extra={"format": "date-time"})
    why: str
    mine: bool = Field(description="Whether you asked it")
    may_decide: bool = Field(description="Whether you may approve or refuse it now")


class ConsentList(BaseModel):
    """Consents, the newest first."""

    consents: list[ConsentView]


class SensitiveView(BaseModel):
    """A declaration."""

    id: str
    kind: Kind
    name: str
    reason: str
    by: str
    declared: str = Field(json_schema_extra={"format": "date-time"})


class SensitiveList(BaseModel):
    """What is sensitive."""

    sensitive: list[SensitiveView]


def consent_view(one: Consent, now_us: int, *, mine: bool, decides: bool) -> ConsentView:
    """A consent as an answer has it."""
    return ConsentView.model_validate(
        {
            "id": one.id,
            "state": one.state_at(now_us),
            "action": one.action,
            "cameras": list(one.cameras),
            "from": iso(one.start_us),
            "to": iso(one.end_us),
            "reason": one.reason,
            "asker": one.name,
            "unit": one.unit,
            "asked": iso(one.asked_us),
            "until": iso(one.until_us),
            "decider": one.decider,
            "decided": iso(one.decided_us) if one.decided_us else None,
            "why": one.why,
            "mine": mine,
            "may_decide": decides,
        }
    )


def sensitive_view(one: Declaration) -> SensitiveView:
    """A declaration as an answer has it."""
    return SensitiveView(id=one.id, kind=one.kind, name=one.name, reason=one.reason, by=one.by, declared=iso(one.at_us))


def acting(request: Request, services: Services) -> Acting:
    """Who asks, as somebody whose acts are written down."""
    return Acting(subject_of(request), services.register, services.clock, request.client.host if request.client else "")
