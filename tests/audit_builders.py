"""Builders of the register: acts, and lines of chains."""

from __future__ import annotations

from typing import Any

from segments.access import Role, Subject
from segments.audit import Act, Action
from segments.audit_line import Line, lines_behind
from segments.clock import US_PER_S
from segments.model import Span
from tests.builders import NOON_US

LI = Subject("user:li", "李梅", "厦门市公安局", frozenset({Role.OPERATOR, Role.VIEWER}))


def an_act(**fields: Any) -> Act:
    """Li looked at ten minutes of the camera `gate`."""
    good: dict[str, Any] = {
        "at_us": NOON_US,
        "who": LI,
        "action": Action.VIEW,
        "what": "played",
        "cameras": ("gate",),
        "span": Span(NOON_US - 600 * US_PER_S, NOON_US),
        "reason": "案件 2026-17",
        "source": "192.0.2.7",
    }
    return Act(**good | fields)


def some_lines(count: int, *, chain: str = "api.a", last: Line | None = None, **fields: Any) -> list[Line]:
    """So many acts, a second apart, as lines of a chain."""
    first = last.number if last else 0
    acts = [an_act(**{"at_us": NOON_US + (first + n) * US_PER_S} | fields) for n in range(count)]
    return lines_behind(chain, last, acts)
