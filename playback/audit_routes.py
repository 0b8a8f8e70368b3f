"""`/audit`: what the register says, to auditors: who did what, and who has seen the footage of a camera."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from playback.access import Asker, needs
from playback.asked import AskedSpan, CameraId, Moment, check_length
from playback.limits import COSTLY
from playback.problems import described
from playback.services import Given, Services
from segments.access import Reach, Scope, Verb
from segments.audit import Action, Outcome
from segments.audit_line import AuditPlace, Line
from segments.audit_search import Wanted, found, who_saw
from segments.clock import US_PER_DAY, iso
from segments.errors import BadInput, NotFound
from segments.hold import FOR_EVER_US
from segments.model import Span

router = APIRouter()

MAX_DAYS = 31
"""Longest time a search goes through that names no camera."""
MAX_CAMERA_DAYS = 1_200
"""The same of one camera: more than the 36 months the register has to be kept."""
MAX_LINES = 1_000

_BEFORE = [*needs(Verb.AUDIT), COSTLY]
_OF_SCOPE = [*needs(Verb.AUDIT, reach=Reach.SCOPE), COSTLY]
_TIME: JsonDict = {"format": "date-time"}


class ActView(BaseModel):
    """Something somebody did, or was refused."""

    chain: str
    number: int
    at: str = Field(json_schema_extra=_TIME)
    who: str = Field(description="Id of the subject; empty where nobody was known")
    name: str
    unit: str
    action: Action
    what: str
    cameras: list[str]
    start: str | None = Field(alias="from", json_schema_extra=_TIME, description="Of the footage it was about")
    end: str | None = Field(alias="to", json_schema_extra=_TIME, description="Null without a time, or without an end")
    reason: str
    source: str = Field(description="Address the request came from; or `command line`")
    outcome: Outcome
    detail: str


class ActPage(BaseModel):
    """Acts in order of time; `next` is the `after` of the next page."""

    acts: list[ActView]
    next: str | None


class ChainEnd(BaseModel):
    """A chain of the register and its end: whoever writes them down sees later whether it was cut or rewritten."""

    chain: str
    number: int
    digest: str = Field(description="SHA-256 (hex) of its last line")


class StoredText(BaseModel):
    """A line as it is stored."""

    number: int
    text: str = Field(description="Canonical JSON")


class LinePage(BaseModel):
    """Lines of a chain in order of number; `next` is the `after` of the next page."""

    lines: list[StoredText]
    next: int | None


async def _wanted(
    services: Given,
    who: Annotated[str, Query(max_length=200, description="Part of the id, name or unit of who did it")] = "",
    camera: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[Moment | None, Query(alias="from", description="Done from this moment on; default: a day before the end")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Done before this moment; default: now")] = None,
    action: Annotated[Action | None, Query()] = None,
    outcome: Annotated[Outcome | None, Query()] = None,
) -> Wanted:
    last = services.clock.now_us() + 1 if end is None else end
    first = max(0, last - US_PER_DAY) if start is None else start
    if last <= first:
        raise BadInput(f"`to` ({iso(last)}) must be later than `from` ({iso(first)})")
    check_length(Span(first, last), (MAX_CAMERA_DAYS if camera else MAX_DAYS) * US_PER_DAY, "search of the register")
    return Wanted(Span(first, last), who, camera, frozenset({action}) if action else frozenset(), outcome)


AfterQuery = Annotated[str, Query(max_length=300, description="The `next` of the page before")]
LimitQuery = Annotated[int, Query(ge=1, le=MAX_LINES)]


@router.get("/audit", dependencies=_OF_SCOPE, responses=described(429))
async def acts(
    services: Given, asker: Asker, wanted: Annotated[Wanted, Depends(_wanted)], after: AfterQuery = "", limit: LimitQuery = 100
) -> ActPage:
    """Acts in order of time. Whose scope is not everything sees those on their cameras."""
    lines = found(services.index, wanted, services.clock, after=_place(after))
    return await _page(_within(services, asker.scope, lines), limit)


@router.get("/cameras/{camera}/viewers", dependencies=_BEFORE, responses=described(404, 429))
async def viewers(
    services: Given, asker: Asker, camera: CameraId, span: AskedSpan, after: AfterQuery = "", limit: LimitQuery = 100
) -> ActPage:
    """Who has seen this footage: everybody who was shown some of it, or took it away, and why."""
    lines = found(services.index, who_saw(camera, span, services.clock.now_us()), services.clock, after=_place(after))
    return await _page(_within(services, asker.scope, lines), limit)


@router.get("/audit/chains", dependencies=_BEFORE, responses=described(403, 429))
async def audit_chains(services: Given) -> list[ChainEnd]:
    """The chains of the register and their ends."""
    ends = [await services.index.last_audit(chain) for chain in await services.index.audit_chains()]
    return [ChainEnd(chain=end.chain, number=end.number, digest=end.digest) for end in ends if end is not None]


@router.get("/audit/chains/{chain}", dependencies=_BEFORE, responses=described(403, 404, 429))
async def audit_chain(services: Given, chain: str, after: Annotated[int, Query(ge=0)] = 0, limit: LimitQuery = 100) -> LinePage:
    """The lines of a chain as they are stored, to be checked elsewhere."""
    page = await services.index.audit_chain(chain, after=after, limit=limit)
    if not page.items and not after:
        raise NotFound(f"there is no chain {chain!r} in the register")
    return LinePage(lines=[StoredText(number=line.number, text=line.text) for line in page.items], next=page.next)


async def _within(services: Services, scope: Scope, lines: AsyncIterator[Line]) -> AsyncIterator[tuple[Line, tuple[str, ...]]]:
    """Those on cameras of a scope, with these cameras."""
    known: dict[str, bool] = {}
    async for line in lines:
        for camera in () if scope.everything else line.cameras:
            if camera not in known:
                known[camera] = await _covers(services, scope, camera)
        cameras = tuple(camera for camera in line.cameras if scope.everything or known[camera])
        if cameras or scope.everything:
            yield line, cameras


async def _covers(services: Services, scope: Scope, camera: str) -> bool:
    try:
        return scope.covers(await services.index.camera(camera))
    except NotFound:
        return camera in scope.cameras


async def _page(lines: AsyncIterator[tuple[Line, tuple[str, ...]]], limit: int) -> ActPage:
    shown: list[ActView] = []
    last: Line | None = None
    async for line, cameras in lines:
        if len(shown) == limit and last is not None:
            return ActPage(acts=shown, next="/".join(map(str, last.place)))
        shown.append(ActView.model_validate(act_values(line) | {"cameras": list(cameras)}))
        last = line
    return ActPage(acts=shown, next=None)


def act_values(line: Line) -> dict[str, Any]:
    """An act as JSON says it, in words and times for people."""
    act = line.act
    assert act is not None
    return {
        "chain": line.chain,
        "number": line.number,
        "at": iso(act.at_us),
        "who": act.who.id,
        "name": act.who.name,
        "unit": act.who.unit,
        "action": act.action,
        "what": act.what,
        "cameras": list(act.cameras),
        "from": iso(act.span.start_us) if act.span else None,
        "to": iso(act.span.end_us) if act.span and act.span.end_us < FOR_EVER_US else None,
        "reason": act.reason,
        "source": act.source,
        "outcome": act.outcome,
        "detail": act.detail,
    }


def _place(after: str) -> AuditPlace | None:
    at_us, _, rest = after.partition("/")
    chain, _, number = rest.rpartition("/")
    try:
        return AuditPlace(int(at_us), chain, int(number)) if after else None
    except ValueError:
        raise BadInput("`after` is the `next` of the page before") from None
