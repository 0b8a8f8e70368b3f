"""`/consents`: asking for a second person's consent and giving it; `/sensitive`: what it is needed for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException

from playback.access import needs, subject_of
from playback.problems import described
from playback.sensitive.asked import (
    MAX_REASON,
    ConsentId,
    ConsentList,
    ConsentView,
    ConsentWanted,
    DeclaredId,
    SensitiveList,
    SensitiveView,
    SensitiveWanted,
    Why,
    acting,
    consent_view,
    sensitive_view,
)
from playback.sensitive.consent import Consent, State, approved, asked, may_decide, refused, withdrawn
from playback.sensitive.declared import Declaration, Kind
from playback.sensitive.kept import all_consents, ask, change, consent, declaration, declarations, declare, undeclare
from playback.services import Given, Services
from segments.access import Reach, Subject, Verb
from segments.audit import Action
from segments.errors import NotFound
from segments.hold import HOLDS
from segments.model import Camera, Span

router = APIRouter()

_CONSENTS = needs(Verb.CONSENT, reach=Reach.SCOPE, writes=True)
_DECLARES = needs(Verb.ADMINISTER, reach=Reach.SCOPE, writes=True)

MOST_SHOWN = 500
RemovalReason = Annotated[str, Query(alias="reason", min_length=1, max_length=MAX_REASON, description="Why; it is kept for good")]


@router.post("/consents", status_code=201, dependencies=needs(Verb.OWN), responses=described(400, 403, 404, 409, 422))
async def ask_consent(request: Request, services: Given, wanted: ConsentWanted) -> ConsentView:
    """Ask for a second person's consent to see or export sensitive footage; it waits 24 h for an answer."""
    who, action, now_us = subject_of(request), Action(wanted.action), services.clock.now_us()
    _must(who, Verb.VIEW if action is Action.VIEW else Verb.EXPORT)
    for camera in wanted.cameras:
        await _camera(services, who, camera)
    span = Span(wanted.start, wanted.end)
    one = asked(who, action, wanted.cameras, span, reason=wanted.reason, now_us=now_us, number=secrets.token_hex(8))
    await acting(request, services).consent(
        f"asked for consent {one.id} to {action}", one.cameras, span, one.reason, lambda: ask(services.index, one)
    )
    return consent_view(one, now_us, mine=True, decides=False)


@router.get("/consents", dependencies=needs(Verb.OWN))
async def consents(request: Request, services: Given) -> ConsentList:
    """Your own of the last 30 days, and those of others that you may decide or withdraw."""
    who, now_us = subject_of(request), services.clock.now_us()
    found = []
    for one in sorted(await all_consents(services.index), key=lambda one: one.asked_us, reverse=True):
        decides = one.is_open(now_us) and may_decide(who, one, await _cameras(services, one))
        if one.asker == who.id or decides:
            found.append(consent_view(one, now_us, mine=one.asker == who.id, decides=decides and one.state is State.ASKED))
    return ConsentList(consents=found[:MOST_SHOWN])


@router.post("/consents/{consent}/approval", dependencies=_CONSENTS, responses=described(404, 409))
async def approve(request: Request, services: Given, consent_id: ConsentId) -> ConsentView:
    """Let the asker have it, from now on for the hours the settings say."""
    who, one = subject_of(request), await _decidable(services, request, consent_id)
    hours, now_us = services.consent_hours, services.clock.now_us()
    return await _step(request, services, one, "approved", one.reason, lambda one: approved(one, who, now_us, hours))


@router.post("/consents/{consent}/refusal", dependencies=_CONSENTS, responses=described(400, 404, 409))
async def refuse(request: Request, services: Given, consent_id: ConsentId, why: Why) -> ConsentView:
    """Say no; the asker sees why."""
    who, one = subject_of(request), await _decidable(services, request, consent_id)
    now_us = services.clock.now_us()
    return await _step(request, services, one, "refused", why.reason, lambda one: refused(one, who, now_us, why.reason))


@router.post("/consents/{consent}/withdrawal", dependencies=needs(Verb.OWN), responses=described(400, 404, 409))
async def withdraw(request: Request, services: Given, consent_id: ConsentId, why: Why) -> ConsentView:
    """Take a question or an approval back: who asked it may, and who may decide it. It binds within two seconds."""
    who, one = subject_of(request), await consent(services.index, consent_id)
    now_us = services.clock.now_us()
    if one.asker != who.id and not may_decide(who, one, await _cameras(services, one)):
        raise NotFound(f"there is no consent {consent_id}")
    return await _step(request, services, one, "withdrew", why.reason, lambda one: withdrawn(one, who, now_us, why.reason))


@router.get("/sensitive", dependencies=needs(Verb.INSPECT, reach=Reach.SCOPE))
async def sensitive(request: Request, services: Given) -> SensitiveList:
    """What is declared sensitive in your scope."""
    who, found = subject_of(request), await declarations(services.index)
    return SensitiveList(sensitive=[sensitive_view(one) for one in found if await _within(services, who, one)])


@router.post("/sensitive", status_code=201, dependencies=_DECLARES, responses=described(400, 404, 422))
async def make_sensitive(request: Request, services: Given, wanted: SensitiveWanted) -> SensitiveView:
    """Declare the footage of a camera, of an area and all below it, or under a hold sensitive. It binds within two seconds."""
    who = subject_of(request)
    one = Declaration(wanted.kind, wanted.name.strip("/ "), wanted.reason, who.name or who.id, services.clock.now_us())
    if one.kind is Kind.HOLD:
        await services.index.record(HOLDS, one.name)
    if not await _within(services, who, one):
        raise NotFound(f"there is no {one.kind} {one.name}")
    kept = await acting(request, services).declare(
        f"declared {one.kind} {one.name} sensitive", _named(one), one.reason, lambda: declare(services.index, one)
    )
    return sensitive_view(kept)


@router.delete(
    "/sensitive/{declaration}",
    status_code=204,
    dependencies=_DECLARES,
    responses=described(404, 409, 422),
)
async def not_sensitive(request: Request, services: Given, declared_id: DeclaredId, reason: RemovalReason) -> None:
    """Take a declaration back."""
    who, one = subject_of(request), await declaration(services.index, declared_id)
    if not await _within(services, who, one):
        raise NotFound(f"nothing is declared sensitive as {declared_id}")
    now_us = services.clock.now_us()
    await acting(request, services).declare(
        f"declared {one.kind} {one.name} no longer sensitive",
        _named(one),
        reason,
        lambda: undeclare(services.index, one.id, by=who.name or who.id, reason=reason, now_us=now_us),
    )


async def _step(
    request: Request, services: Services, one: Consent, did: str, reason: str, step: Callable[[Consent], Consent]
) -> ConsentView:
    """Takes a step with a consent, and writes it down; what cannot be done is not written down as done."""
    step(one)
    what = f"{did} consent {one.id} of {one.name}"
    after = await acting(request, services).consent(what, one.cameras, _span(one), reason, lambda: change(services.index, one.id, step))
    return consent_view(after, services.clock.now_us(), mine=one.asker == subject_of(request).id, decides=False)


async def _decidable(services: Services, request: Request, consent_id: str) -> Consent:
    """A consent this one may decide; of others it is as if there were none. The asker is told that another has to."""
    who, one = subject_of(request), await consent(services.index, consent_id)
    if one.asker == who.id:
        raise HTTPException(403, "a consent is given by a second person: who asks cannot decide")
    if not may_decide(who, one, await _cameras(services, one)):
        raise NotFound(f"there is no consent {consent_id}")
    return one


async def _camera(services: Services, who: Subject, camera: str) -> None:
    """Raises NotFound for a camera outside of the scope, as for one that there is not."""
    if not who.scope.everything and not who.scope.covers(await services.index.camera(camera)):
        raise NotFound(f"there is no camera {camera}")


async def _cameras(services: Services, one: Consent) -> Sequence[Camera]:
    """Those of a consent that the archive has."""
    found = []
    for camera in one.cameras:
        try:
            found.append(await services.index.camera(camera))
        except NotFound:
            continue
    return found


async def _within(services: Services, who: Subject, one: Declaration) -> bool:
    try:
        camera = await services.index.camera(one.name) if one.kind is Kind.CAMERA and not who.scope.everything else None
    except NotFound:
        return False
    return one.within(who.scope, camera)


def _must(who: Subject, verb: Verb) -> None:
    if not who.may(verb):
        raise HTTPException(403, f"your roles do not let you do this: it takes the right to {verb}")


def _named(one: Declaration) -> Sequence[str]:
    return (one.name,) if one.kind is Kind.CAMERA else ()


def _span(one: Consent) -> Span:
    return Span(one.start_us, one.end_us)
