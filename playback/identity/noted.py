"""Writes down what people do to sessions, users and keys."""

from __future__ import annotations

from typing import cast

from fastapi import Request

from playback.services import Services
from segments.access import Subject
from segments.audit import Act, Action, Outcome


async def noted(request: Request, who: Subject, action: Action, what: str, outcome: Outcome = Outcome.DONE) -> None:
    """Writes an act to the register; raises TryAgain where that cannot be done now."""
    services = cast("Services", request.app.state.services)
    source = request.client.host if request.client else ""
    await services.register.write(Act(services.clock.now_us(), who, action, what, source=source, outcome=outcome))
