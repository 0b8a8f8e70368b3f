"""What playback shows of a segment that moves from the live edge into the index while it looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from playback.footage import live_edge, row_of, rows_of, run_of
from segments.errors import NotFound
from segments.model import Row, Run, Span
from segments.timeline import rows_between
from tests.api import Api, FakeLive
from tests.builders import NOON_US, a_row, a_run

SPAN = Span(NOON_US, NOON_US + 60_000_000)


class Moving(FakeLive):
    """The segment is indexed, and gone from here, as the live edge comes to look; `late`: just after it has looked."""

    api: Api
    late = False

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        for _ in range(5):
            await asyncio.sleep(0)
        await self.api.index.put_run(a_run())
        await self.api.index.publish(a_row())
        return [(a_row(pool="", sha256=""), a_run())] if self.late else []


def an_api(*, late: bool) -> Api:
    live = Moving()
    live.api, live.late = Api(live=live), late
    return live.api


@pytest.mark.parametrize("late", [False, True])
async def test_it_is_there_once(late: bool) -> None:
    """Neither missing nor twice, and as the index has it."""
    rows, _ = await rows_of(an_api(late=late).services(), "gate", SPAN)

    assert rows == [a_row()]


async def test_control_the_other_order_loses_it() -> None:
    """The index first, then the live edge: the segment moves in between and is in neither look."""
    services = an_api(late=False).services()
    rows = await rows_between(services.index, "gate", SPAN)
    edge = await live_edge(services, "gate", SPAN)

    assert [*rows, *edge.rows] == []


async def test_its_row_and_run_are_found() -> None:
    """Asked for by name in that moment; what is nowhere is still not found."""
    services = an_api(late=False).services()
    assert await row_of(services, "gate", a_row().position) == a_row()
    assert await run_of(an_api(late=False).services(), "gate", a_run().id) == a_run()
    with pytest.raises(NotFound):
        await run_of(services, "gate", "home-a-9-9")
