"""`/reports`: the retention report, for programs, for tables and to print."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from retention.asked import Asker, Day, Doors, Given, forbidden, who
from retention.report import Order, retention_report
from retention.report_forms import Form, written
from retention.report_page import PAGE_POLICY
from retention.report_words import Language
from segments.access import Reach

MOST_CAMERAS = 1_000
"""A request about more is refused: it would take minutes. The command `keepsight report retention` has no such limit."""

_TYPES = {Form.JSON: "application/json", Form.CSV: "text/csv", Form.HTML: "text/html"}
_ANSWER: dict[str, Any] = {
    "description": "The report",
    "content": {kind: {"schema": {"type": "object" if form is Form.JSON else "string"}} for form, kind in _TYPES.items()},
}

FirstDay = Annotated[Day, Query(alias="from", description="The first day, in the civil time of the policy")]
EndDay = Annotated[Day | None, Query(alias="to", description="The day after the last; without it, today")]
Area = Annotated[str, Query(max_length=256, description="Only cameras of this area, and below it")]
Printed = Annotated[Language, Query(alias="lang", description="Of the html form")]
As = Annotated[Form, Query(alias="format")]
For = Annotated[str | None, Header(alias="Keepsight-By", min_length=1, max_length=384, description="Who is named on it")]


def report_routes(doors: Doors, site: str) -> APIRouter:
    """The routes, behind what stands before them; `site` is named on reports."""
    router = APIRouter()
    options = doors.look(403, 429, reach=Reach.SCOPE, costly=True)
    options["responses"] = options["responses"] | {200: _ANSWER}

    @router.get("/reports/retention", response_class=Response, **options)
    async def retention(
        services: Given,
        asker: Asker,
        first: FirstDay,
        end: EndDay = None,
        area: Area = "",
        language: Printed = Language.ENGLISH,
        form: As = Form.JSON,
        by: For = None,
    ) -> Response:
        """How deep footage is and must be, and the rates of storage duration, recording integrity and cameras online."""
        if not asker.scope.covers_area(area.strip("/")):
            raise forbidden("a report is about all cameras of an area: ask for an `area` that lies in your scope")
        order = Order(first, end, area.strip("/"), MOST_CAMERAS, site, who(asker, by) if by or asker.name else "")
        report = await retention_report(order, index=services.index, now_us=services.clock.now_us())
        text = await asyncio.to_thread(lambda: "".join(written(report, form, language)))
        name = f"retention-{report.days.first}-{report.days.end}.{form}"
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'{"inline" if form is Form.HTML else "attachment"}; filename="{name}"',
            "Content-Security-Policy": PAGE_POLICY,
        }
        return Response(text, headers=headers, media_type=_TYPES[form])

    return router
