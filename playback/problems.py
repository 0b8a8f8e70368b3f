"""Every error as a problem (RFC 9457): which status it has, what it says, and how the description tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from playback.byte_range import RangeNotSatisfiable
from playback.consents import NeedsConsent, NeedsReason
from playback.link_token import LinkRefused
from segments.errors import BadInput, Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain
from segments.model import Cause

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""What a client is asked to wait for after a passing fault, or when it asked too much."""


class NoFootage(NotFound):
    """The span asked for has no footage; `cause` is the one that takes the most of it."""

    def __init__(self, sentence: str, cause: Cause) -> None:
        super().__init__(sentence)
        self.cause = cause


class FootageGone(NotFound):
    """The index names an object that the pool does not have: removed a moment ago, or lost."""


class TooMuch(KeepsightError):
    """More is asked at once than the limits of this service allow. `headers` say when to ask again."""

    def __init__(self, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.headers = headers or {"Retry-After": str(RETRY_AFTER_S)}


class TooLarge(KeepsightError):
    """A body is larger than any that is taken."""


class InputError(BaseModel):
    """One thing that is wrong with the input."""

    where: str = Field(description="Place of the value, such as `query.from`")
    message: str


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="`urn:keepsight:problem:...` for kinds of our own, else `about:blank`")
    title: str
    status: int
    detail: str
    errors: list[InputError] | None = Field(default=None, description="What is wrong with the input, thing by thing")
    cause: Cause | None = Field(default=None, description="Why the span asked for has no footage")


_KINDS: tuple[tuple[type[KeepsightError], int, str, str], ...] = (
    (NoFootage, 404, "no-footage", "No footage"),
    (LinkRefused, 403, "link-refused", "Link refused"),
    (FootageGone, 404, "footage-gone", "Footage is gone"),
    (NotFound, 404, "not-found", "Not found"),
    (BadInput, 422, "bad-input", "Bad input"),
    (RangeNotSatisfiable, 416, "range-not-satisfiable", "Range not satisfiable"),
    (Conflict, 409, "conflict", "Conflict"),
    (NeedsReason, 403, "needs-reason", "A reason is needed"),
    (NeedsConsent, 403, "needs-consent", "A second person's consent is needed"),
    (TooLarge, 413, "too-large", "Too large"),
    (TooMuch, 429, "too-much", "Too many requests"),
    (TryAgain, 503, "try-again", "Try again"),
    (Refused, 502, "refused", "A store refused this service"),
    (DataDamaged, 502, "data-damaged", "Stored data is damaged"),
)


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(problem.model_dump(mode="json", exclude_none=True), problem.status, headers, MEDIA_TYPE)


async def _own(_: Request, error: Exception) -> Response:
    """The answer to an error of the ports or of playback."""
    return _of_ours(error)


def refusal(error: TooMuch | TooLarge) -> Response:
    """The answer to a request over the limits, for one that never reached a route."""
    return _of_ours(error)


def _of_ours(error: Exception) -> Response:
    status, name, title = next((kind[1:] for kind in _KINDS if isinstance(error, kind[0])), (500, "internal", "Internal error"))
    cause = error.cause if isinstance(error, NoFootage) else None
    problem = Problem(type=f"urn:keepsight:problem:{name}", title=title, status=status, detail=str(error), cause=cause)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, TryAgain) else {}
    if isinstance(error, TooMuch):
        headers |= error.headers
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    return _answer(problem, headers)


async def _http(request: Request, error: Exception) -> Response:
    """The answer to what the framework refuses: unknown routes, wrong methods, and refused access."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST and error.__cause__ is not None:  # the framework could not decode the body
        return _of_ours(BadInput("the body cannot be read as JSON in UTF-8"))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error.headers = {"Allow": ", ".join(_methods(request))}
    title = HTTPStatus(error.status_code).phrase
    said = f"{request.method} {request.url.path}" if error.detail == title else error.detail
    return _answer(Problem(type="about:blank", title=title, status=error.status_code, detail=said), error.headers)


def _methods(request: Request) -> list[str]:
    """What may be done at an address: one route's answer would name its own methods only, and several may share an address."""
    found: set[str] = set()
    for context in iter_route_contexts(request.app.router.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and compile_path(str(context.path))[0].match(request.url.path):
            found |= route.methods or set()
    return sorted(found)


async def _invalid(_: Request, error: Exception) -> Response:
    """The answer to input that does not fit the description of the route."""
    assert isinstance(error, RequestValidationError)
    wrong = [InputError(where=".".join(map(str, one["loc"])), message=one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    detail = "; ".join(f"{one.where}: {one.message}" for one in wrong)
    return _answer(Problem(type="urn:keepsight:problem:bad-input", title="Bad input", status=422, detail=detail, errors=wrong))


async def _unforeseen(_: Request, __: Exception) -> Response:
    """The answer to a fault of ours; the log has the rest."""
    detail = "the service failed in a way it did not foresee; its log has the details"
    return _answer(Problem(type="urn:keepsight:problem:internal", title="Internal error", status=500, detail=detail))


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem."""
    app.add_exception_handler(KeepsightError, _own)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can end in these problems, beside those that every route has."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}
