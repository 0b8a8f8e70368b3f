"""No hop to a thread before a request is answered: every dependency of a route is a coroutine function or an asynchronous generator."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from playback.app import create_app
from tests.api import Api


def threaded(app: FastAPI) -> list[str]:
    """Dependencies that FastAPI runs in a thread of its pool, as it does with plain functions, each with the path that has it."""
    contexts = iter_route_contexts(app.router.routes)
    routes = [route for context in contexts if isinstance(route := context.original_route, APIRoute)]
    return [f"{route.path} {call}" for route in routes for call in _calls(route.dependant) if not _in_the_loop(call)]


def _calls(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _in_the_loop(call: object) -> bool:
    called = call if inspect.isfunction(call) or inspect.isclass(call) else type(call).__call__
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def test_nothing_before_an_answer_hops_to_a_thread() -> None:
    """A start of playback would make some thirty hops, each longer than what the dependency does."""
    assert threaded(create_app(Api().services())) == []


def test_a_plain_function_is_seen() -> None:
    """The negative control."""
    app = create_app(Api().services())
    app.get("/plain", dependencies=[Depends(lambda: None)])(lambda: None)
    assert [path.split()[0] for path in threaded(app)] == ["/plain"]
