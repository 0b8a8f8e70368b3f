"""No route without a rule: every route of the application asks its access before it answers."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from playback.access import Rule
from playback.app import create_app
from segments.access import Verb
from tests.api import Api


def rules(app: FastAPI) -> Iterator[tuple[str, list[Rule]]]:
    """Paths of all routes, each with what stands before it; the page's files are no route."""
    for context in iter_route_contexts(app.router.routes):
        if getattr(context, "name", None) == "console":
            continue
        route = context.original_route
        dependencies = route.dependant.dependencies if isinstance(route, APIRoute) else []
        yield str(context.path), [one.call for one in dependencies if isinstance(one.call, Rule)]


def test_every_route_has_one_rule(tmp_path) -> None:
    """The whole application, page and description included."""
    found = dict(rules(create_app(Api().services(console=tmp_path))))
    assert len(found) > 10
    assert [path for path, before in found.items() if len(before) != 1] == []


def test_only_health_and_signing_in_are_open() -> None:
    """Nothing else may be asked without being somebody."""
    found = rules(create_app(Api().services()))
    assert [path for path, before in found if before[0].verb is Verb.PROBE] == ["/api/v1/health", "/api/v1/session", "/api/v1/session/ways"]


def test_a_route_without_a_rule_is_seen() -> None:
    """The negative control: one more route without a rule is found."""
    app = create_app(Api().services())
    app.add_api_route("/api/v1/forgotten", lambda: None)
    assert [path for path, before in rules(app) if not before] == ["/api/v1/forgotten"]
