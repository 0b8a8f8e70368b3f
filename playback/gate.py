"""The one gate before footage: nobody gets any without the consent it may need, and without being written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from fastapi import Request

from playback.access import subject_of
from playback.asked import reason_of, source_of
from playback.consents import NeedsConsent, NeedsReason
from playback.seen import Seen, SeenKey
from playback.services import Services
from segments.access import Subject
from segments.audit import Act, Action, Outcome
from segments.model import Span

_NS_PER_S = 1_000_000_000


async def admit(
    request: Request, action: Action, what: str, cameras: Sequence[str], span: Span, *, why: str = "", shown: Span | None = None
) -> None:
    """Lets a request that its rule allowed pass to the footage of these cameras, and writes it down before anything is sent.

    `why` is the reason of what was asked for earlier, or in a body; else the request says it. `shown` is what of the span is handed out,
    and needs consent, where that is not all. What this process has shown the same subject
    within ten minutes, for the same reason, is written once: ranges of one file, and a playlist that is asked for again. Raises BadInput
    for a reason that is none, NeedsReason or NeedsConsent for sensitive footage, TryAgain if it cannot be written down.
    """
    services, seen = cast("Services", request.app.state.services), cast("Seen", request.app.state.seen)
    who, reason = subject_of(request), why or reason_of(request)
    act = Act(services.clock.now_us(), who, action, what, tuple(cameras), span, reason, source_of(request))
    try:
        for camera in cameras:
            reason = await services.consents.check(who, action, camera, shown or span, reason)
    except (NeedsReason, NeedsConsent) as error:
        await services.register.write(replace(act, outcome=Outcome.REFUSED, detail=str(error)))
        raise
    now_s = services.clock.monotonic_ns() / _NS_PER_S
    keys = [_key(who, camera, action, what) for camera in cameras]
    if not all(seen.covers(key, reason, span, now_s) for key in keys):
        await services.register.write(replace(act, reason=reason))
        for key in keys:
            seen.add(key, reason, span, now_s)
    request.state.admitted = True


async def admit_part(request: Request, action: Action, what: str, camera: str, span: Span, shown: Span | None = None) -> None:
    """The same for a part of what a playlist names: one that was registered, here and a short while ago, counts for its segments.

    They bear no reason of their own and may stick out of its span by less than their length. The consent that what is `shown` of it
    needs is asked for again: without it, that of the playlist's span.
    """
    services, seen = cast("Services", request.app.state.services), cast("Seen", request.app.state.seen)
    who = subject_of(request)
    touched = seen.touched(_key(who, camera, action, what), span, services.clock.monotonic_ns() / _NS_PER_S)
    if touched is None:
        await admit(request, action, what, [camera], span, shown=shown)
        return
    await services.consents.check(who, action, camera, shown or touched, reason_of(request))
    request.state.admitted = True


def _key(who: Subject, camera: str, action: Action, what: str) -> SeenKey:
    """Ways of looking at footage are one; an export that was asked for and its file that was fetched are two."""
    return SeenKey(who.id, camera, action if action is Action.VIEW else f"{action} {what}")
