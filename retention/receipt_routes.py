"""`/receipts`: what was deleted, receipt by receipt, in the very text that proves it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from retention.asked import CameraId, Day, Doors, Given
from segments.access import Reach
from segments.clock import iso
from segments.receipt import Receipt
from segments.receipt_chains import chains_named, receipts_of

LINES = "application/x-ndjson"


class ReceiptView(BaseModel):
    """A receipt, without its list of segments; the whole of it is a line of `GET /receipts`."""

    chain: str
    number: int
    day: date
    segments: int
    stored_bytes: int = Field(alias="bytes")
    rule: str
    policy: int
    reasons: dict[str, int]
    spans: list[list[str]] = Field(description="When there was footage: from and to")
    confirmed: str = Field(json_schema_extra={"format": "date-time"})
    sha256: str = Field(description="Of its text")


def receipt_routes(doors: Doors) -> APIRouter:
    """The routes, behind what stands before them."""
    router = APIRouter()
    described = doors.described(404) | _AS_LINES
    router.get("/receipts", dependencies=doors.look()["dependencies"], response_class=StreamingResponse, responses=described)(lines)
    router.get("/receipts/chains", **doors.look())(chains)
    router.get("/cameras/{camera}/receipts", **doors.look(reach=Reach.SCOPE))(receipts)
    return router


_AS_LINES: dict[int | str, dict[str, object]] = {
    200: {"description": "One receipt a line, for `keepsight receipts verify`", "content": {LINES: {"schema": {"type": "string"}}}}
}


async def chains(services: Given) -> list[str]:
    """The names of all chains, in order."""
    return list(await services.index.receipt_chains())


async def lines(
    services: Given,
    chain: Annotated[str, Query(max_length=64, description="Only this chain; default: all, one after the other")] = "",
    after: Annotated[int, Query(ge=0, le=2**53, description="Only receipts with a greater number")] = 0,
) -> StreamingResponse:
    """Receipts as they are, one a line, in order of chain and number."""
    found = receipts_of(services.index, await chains_named(services.index, chain), services.clock, after=after)
    return StreamingResponse((f"{receipt.text}\n" async for receipt in found), media_type=LINES)


async def receipts(
    services: Given, camera: CameraId, month: Annotated[Day, Query(description="Any day of a UTC month")]
) -> list[ReceiptView]:
    """What was deleted of a camera's days of a month."""
    return [_view(each) for each in await services.index.receipts(camera, month.replace(day=1))]


def _view(receipt: Receipt) -> ReceiptView:
    return ReceiptView.model_validate(
        {
            "chain": receipt.chain,
            "number": receipt.number,
            "day": receipt.day,
            "segments": len(receipt.segments),
            "bytes": receipt.size,
            "rule": receipt.rule,
            "policy": receipt.policy,
            "reasons": dict(receipt.reasons),
            "spans": [[iso(span.start_us), iso(span.end_us)] for span in receipt.spans],
            "confirmed": iso(receipt.confirmed_us),
            "sha256": receipt.digest,
        }
    )
