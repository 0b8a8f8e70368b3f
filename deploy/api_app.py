"""The whole API: playback's application with the routes of the other rooms, behind one access."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from starlette.applications import Starlette

from playback.access import needs
from playback.app import create_app
from playback.limits import COSTLY
from playback.problems import described
from playback.services import Services
from retention.asked import Doors, RetentionServices
from retention.hold_routes import hold_routes
from retention.receipt_routes import receipt_routes
from retention.report_routes import report_routes
from retention.rule_routes import rule_routes
from retention.state_routes import state_routes


def whole_app(services: Services, retention: RetentionServices, more: Sequence[Any] = ()) -> Starlette:
    """Everything that is served to users; `more` are routes that only some sites have."""
    app = create_app(services, [*_routes_of_retention(services.site), *more])
    app.state.retention = retention
    return app


@cache
def _routes_of_retention(site: str) -> Sequence[Any]:
    """They hold nothing: what they answer from is the application's, so several may share them."""
    doors = Doors(needs, COSTLY, described)
    return rule_routes(doors), state_routes(doors), hold_routes(doors), receipt_routes(doors), report_routes(doors, site)
