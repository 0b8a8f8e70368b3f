"""What routes are asked with: camera ids, moments, spans and reasons, checked at the door."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, WithJsonSchema

from segments.clock import from_datetime, iso
from segments.errors import BadInput
from segments.keys import CAMERA_ID
from segments.model import Span

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_LAST_US = from_datetime(datetime(2200, 1, 1, tzinfo=UTC))


def moment_us(text: object) -> int:
    """Microseconds of an RFC 3339 moment between 1970 and 2200; raises ValueError with a sentence for people."""
    if not isinstance(text, str) or _RFC3339.fullmatch(text) is None:
        raise ValueError("must be an RFC 3339 moment with its zone, like 2026-01-31T08:00:00Z (a + in an address is written %2B)")
    moment = from_datetime(datetime.fromisoformat(text.upper()))
    if not 0 <= moment < _LAST_US:
        raise ValueError("must lie between 1970 and 2200")
    return moment


Moment = Annotated[int, BeforeValidator(moment_us), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment of a query, as microseconds."""

CameraId = Annotated[str, Path(alias="camera", pattern=f"^{CAMERA_ID.pattern}$", description="Id of a camera")]
RunName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$", description="Id of a run")]


async def _span(
    start: Annotated[Moment, Query(alias="from", description="Start of the span")],
    end: Annotated[Moment, Query(alias="to", description="End of the span, itself not in it")],
) -> Span:
    if end <= start:
        raise BadInput(f"`to` ({iso(end)}) must be later than `from` ({iso(start)})")
    return Span(start, end)


AskedSpan = Annotated[Span, Depends(_span)]


def check_length(span: Span, most_us: int, what: str) -> None:
    """Raises BadInput if a span is longer than `what` can be; the sentence says the limit in hours or days."""
    if span.end_us - span.start_us > most_us:
        hours = most_us // 3_600_000_000
        raise BadInput(f"a {what} spans at most {f'{hours} hours' if hours <= 24 else f'{hours // 24} days'}: ask for it in parts")


REASON_HEADER = "Keepsight-Reason"
"""Why something is asked for; the query `reason` says it where headers cannot be set. UTF-8, percent-encoded in the header."""
MAX_REASON = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def reason_of(request: Request) -> str:
    """Why something is asked for, '' where nobody says; raises BadInput for a text that is too long or has control characters."""
    try:
        reason = request.query_params.get("reason") or unquote(request.headers.get(REASON_HEADER, ""), errors="strict")
    except UnicodeDecodeError:
        raise BadInput(f"the header {REASON_HEADER} is not UTF-8, percent-encoded") from None
    reason = reason.strip()
    if len(reason) > MAX_REASON or _CONTROL.search(reason):
        raise BadInput(f"a reason is a text of at most {MAX_REASON} characters without line ends or control characters")
    return reason


def source_of(request: Request) -> str:
    """The address of the other end, as a trusted proxy on this machine tells it where there is one."""
    return request.client.host if request.client else ""
