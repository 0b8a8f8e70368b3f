"""What can go wrong, by what the caller does about it; made of problems (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "urn:keepsight:problem:"


class KeepsightError(Exception):
    """Any failure. `status` is that of the answer (0: there was none), `kind` the last part of the problem's type, '' where it has none."""

    def __init__(self, detail: str, *, status: int = 0, kind: str = "", cause: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.cause = cause
        """Why there is no footage, where that is the problem."""


class NoAnswer(KeepsightError):
    """The service could not be reached, or broke off."""


class NotKnown(KeepsightError):
    """The key is missing, wrong, or no longer valid (401)."""


class NotAllowed(KeepsightError):
    """The key may not do this (403)."""


class NeedsReason(NotAllowed):
    """The footage is sensitive: give a reason."""


class NeedsConsent(NotAllowed):
    """The footage is sensitive: another person must consent first."""


class NotFound(KeepsightError):
    """There is no such thing, or not for this key (404)."""


class NoFootage(NotFound):
    """There is no footage in the span; `cause` says why."""


class FootageGone(NotFound):
    """What was there a moment ago is not any more."""


class BadInput(KeepsightError):
    """The question is wrong (400, 413, 416, 422)."""


class Conflict(KeepsightError):
    """It cannot be done as things stand (409)."""


class TooMuch(KeepsightError):
    """More is asked than the service's limits allow (429), also after waiting."""


class TryAgain(KeepsightError):
    """A fault of the service that may pass (5xx), also after trying again."""


class ExportFailed(KeepsightError):
    """An export job did not come to a result."""


class Damaged(KeepsightError):
    """What was downloaded is not what it should be."""


_KINDS: Mapping[str, type[KeepsightError]] = {
    "no-footage": NoFootage,
    "footage-gone": FootageGone,
    "needs-reason": NeedsReason,
    "needs-consent": NeedsConsent,
}
_STATUSES: Mapping[int, type[KeepsightError]] = {401: NotKnown, 403: NotAllowed, 404: NotFound, 409: Conflict, 429: TooMuch}


def error_of(status: int, problem: Mapping[str, Any]) -> KeepsightError:
    """The error of an answer."""
    kind = str(problem.get("type", "")).removeprefix(_PREFIX)
    kind = "" if kind == "about:blank" else kind
    detail = str(problem.get("detail") or problem.get("title") or f"the service answers {status}")
    made = _KINDS.get(kind) or _STATUSES.get(status) or (TryAgain if status >= 500 else BadInput)
    return made(detail, status=status, kind=kind, cause=str(problem.get("cause", "")))
