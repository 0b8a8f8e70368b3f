"""Finding holds, and what a case keeps."""

from __future__ import annotations

import pytest

from retention.hold_report import HoldSearch, listed, report
from retention.holds import lift
from segments.errors import NotFound
from segments.hold import Stretch
from tests.builders import some_rows
from tests.retention_builders import REVIEW, a_gone, a_receipt
from tests.unit.test_holds import DAY, NOW_US, an_index, li, placed


async def test_holds_are_found() -> None:
    """By case, camera, area, whether they stand, and by when they should be looked at."""
    index = await an_index(cameras=("gate", "quay"))
    gate = (await placed(index, review=REVIEW)).hold
    area = (await placed(index, case="2026-18", cameras=(), areas=("fujian/xiamen",))).hold
    lifted = (await lift((await placed(index, cameras=("quay",))).hold.id, li(), index=index)).hold
    searches = [
        (HoldSearch(), {gate, area, lifted}),
        (HoldSearch(case="2026-18"), {area}),
        (HoldSearch(camera="gate"), {gate, area}),
        (HoldSearch(area="fujian"), {area}),
        (HoldSearch(area="fujian/xiamen/siming"), {area}),
        (HoldSearch(area="hunan"), set()),
        (HoldSearch(standing=True), {gate, area}),
        (HoldSearch(standing=False), {lifted}),
        (HoldSearch(review_before=REVIEW), set()),
        (HoldSearch(review_before=REVIEW.replace(month=2)), {gate}),
    ]
    for search, wanted in searches:
        assert set(await listed(search, index)) == wanted


async def test_the_report_of_a_case_counts_what_it_keeps() -> None:
    """Segments and bytes of its time alone, and what is gone of it."""
    index = await an_index()
    rows = some_rows(4)
    await index.publish_many(rows[1:])
    await index.put_usage("gate", DAY, await index.row_sums("gate", DAY))
    await index.put_receipt(a_receipt(segments=(a_gone(rows[0]),)))
    hold = (await placed(index, start_us=rows[0].start_us, end_us=rows[3].start_us)).hold
    (found,) = await report("2026-17", index=index, now_us=NOW_US)
    assert (found.hold, found.cameras, found.camera_days, found.segments) == (hold, 1, 1, 2)
    assert found.stored_bytes == rows[1].size + rows[2].size
    assert found.deleted == [Stretch("gate", rows[0].start_us, rows[0].end_us)]
    with pytest.raises(NotFound, match="'2026-99'"):
        await report("2026-99", index=index, now_us=NOW_US)
