"""The one gate before footage: nobody gets any without the consent it may need, and without being written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fastapi import Request

from playback.access import subject_of
from playback.services import Services
from segments.audit import Act, Action
from segments.model import Span

REASON_HEADER = "Keepsight-Reason"
"""Why footage is asked for; the query `reason` says it where headers cannot be set. UTF-8, percent-encoded in the header."""


async def admit(request: Request, action: Action, what: str, cameras: Sequence[str], span: Span, *, why: str = "") -> None:
    """Lets a request that its rule allowed pass to the footage of these cameras, and writes it down before anything is sent.

    `why` is the reason of what was asked for earlier, or in a body; else the request says it. Raises NeedsReason or NeedsConsent for
    sensitive footage, TryAgain if it cannot be written down.
    """
    services = cast("Services", request.app.state.services)
    who, reason = subject_of(request), why or request.query_params.get("reason", "")
    for camera in cameras:
        reason = await services.consents.check(who, action, camera, span, reason)
    source = request.client.host if request.client else ""
    await services.register.write(Act(services.clock.now_us(), who, action, what, tuple(cameras), span, reason, source))
