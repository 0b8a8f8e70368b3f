"""What was recorded by day: merging, packing, and the history made of it."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from capacity.days import DAYS, merged, no_days, packed, unpacked
from capacity.history import CAMERAS, ELSEWHERE, History, history_of, site_of_pools, stacked
from segments.errors import BadInput, DataDamaged

FIRST = date(2026, 3, 1)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["gate", "yard"]),
        st.dates(FIRST, date(2026, 3, 3)),
        st.sampled_from(["main", "b"]),
        st.sampled_from(["", "avc1 1920x1080", "hvc1 1920x1080"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([0.0, 60.0, 86_400.0]),
    ),
    max_size=12,
)


def days_of(*lines: tuple[object, ...]) -> pl.DataFrame:
    """A day frame of lines in the order of `DAYS`."""
    return pl.DataFrame(lines, schema=DAYS, orient="row")


def a_day(
    camera: str = "gate", day: int = 1, pool: str = "main", *, recorded_bytes: int = 100, kind: str = "avc1 1920x1080"
) -> pl.DataFrame:
    """One line of March."""
    return days_of((camera, date(2026, 3, day), pool, kind, 10, recorded_bytes, 600.0))


def cameras_of(**pools: str) -> pl.DataFrame:
    """Registered cameras of class 1, by their pools."""
    columns = {name: [""] * len(pools) for name in CAMERAS if name != "class"}
    return pl.DataFrame(columns | {"camera": list(pools), "pool": list(pools.values()), "class": [1] * len(pools)}, schema=CAMERAS)


@given(st.lists(LINES, min_size=1, max_size=3))
def test_days_are_merged_in_any_order_and_however_often(lines: list[list[tuple[object, ...]]]) -> None:
    """The same lines come of every order, of merging twice, and of merging by steps; none is smaller than any that went in."""
    frames = [days_of(*each) for each in lines]
    whole = merged(*frames)
    for order in permutations(frames):
        assert_frame_equal(merged(*order), whole)
    assert_frame_equal(merged(whole, *frames), whole)
    assert_frame_equal(merged(merged(*frames[:1]), *frames[1:]), whole)
    most: dict[object, int] = {}
    for camera, day, pool, _, _, recorded_bytes, _ in (line for each in lines for line in each):
        most[camera, day, pool] = max(most.get((camera, day, pool), 0), int(str(recorded_bytes)))
    assert {line[:3]: line[5] for line in whole.iter_rows()} == most


def test_what_is_deleted_makes_no_day_smaller() -> None:
    """A day that was counted again after half of it was deleted stays what was recorded; one with late footage grows."""
    kept = merged(a_day(recorded_bytes=100), a_day(recorded_bytes=50))
    assert kept["recorded_bytes"].to_list() == [100]
    assert merged(kept, a_day(recorded_bytes=130))["recorded_bytes"].to_list() == [130]


@given(LINES)
def test_a_day_frame_comes_back_as_it_was_packed(lines: list[tuple[object, ...]]) -> None:
    """Every column, of a frame without a line, too."""
    days = days_of(*lines)
    assert_frame_equal(unpacked(packed(days), "March"), days)


def test_what_is_no_day_frame_is_told() -> None:
    """Bytes that are no Parquet, bytes cut off, and a frame of other columns are damage, and named."""
    other = packed(no_days().drop("pool"))
    for body in (b"", b"no parquet", packed(a_day())[:-9], other):
        with pytest.raises(DataDamaged, match="usage of 2026-03"):
            unpacked(body, "usage of 2026-03")


def test_a_history_is_the_sum_of_pools_by_day() -> None:
    """A camera's pools are added; a day without a line is 0 after its first and not a number before it."""
    days = merged(a_day("gate", 2), a_day("gate", 2, "b", recorded_bytes=7), a_day("gate", 4), a_day("yard", 1, recorded_bytes=30))
    history = history_of(days, cameras_of(yard="main", gate="main", silent="main"))
    assert history.first == FIRST
    assert history.cameras["camera"].to_list() == ["gate", "yard"]
    np.testing.assert_array_equal(history.recorded_bytes, [[np.nan, 107, 0, 100], [30, 0, 0, 0]])


def test_a_camera_that_is_no_longer_registered_keeps_its_history() -> None:
    """It ends with its last day; what it was comes from `former`, or is empty and class 3."""
    days = merged(a_day("gone"), a_day("was"), a_day("gate"), a_day("gate", 3))
    former = cameras_of(was="", gate="wrong").with_columns(tier=pl.lit("key-area"))
    history = history_of(days, cameras_of(gate="b"), former)
    np.testing.assert_array_equal(history.recorded_bytes, [[100, 0, 100], [100, np.nan, np.nan], [100, np.nan, np.nan]])
    assert history.cameras.select("camera", "pool", "tier", "class", "owner", "kind").rows() == [
        ("gate", "b", "", 1, "", "avc1 1920x1080"),
        ("gone", "main", "", 3, "", "avc1 1920x1080"),
        ("was", "main", "key-area", 1, "", "avc1 1920x1080"),
    ]
    assert dict(history.cameras.schema) == CAMERAS


def test_a_camera_is_of_the_kind_it_had_last() -> None:
    """One that was set to H.265 is alike to those of H.265."""
    days = merged(a_day(day=1), a_day(day=2, kind="hvc1 1920x1080"))
    assert history_of(days, cameras_of(gate="main")).cameras["kind"].to_list() == ["hvc1 1920x1080"]


def test_a_history_ends_where_it_is_asked_to() -> None:
    """Days from there on are left out; days without a line before it are 0."""
    days = merged(a_day(day=1), a_day(day=5))
    np.testing.assert_array_equal(history_of(days, cameras_of(gate="main"), end=date(2026, 3, 4)).recorded_bytes, [[100, 0, 0]])
    with pytest.raises(BadInput, match="no day of usage yet"):
        history_of(days, cameras_of(gate="main"), end=FIRST)


def test_histories_are_stacked_by_day() -> None:
    """Parts that begin and end on other days stand on their own days; what they do not know is not a number."""
    late, early = (history_of(a_day(name, day), cameras_of(**{name: "main"})) for name, day in (("gate", 3), ("yard", 1)))
    whole = stacked([late, early])
    assert (whole.first, whole.cameras["camera"].to_list()) == (FIRST, ["gate", "yard"])
    np.testing.assert_array_equal(whole.recorded_bytes, [[np.nan, np.nan, 100], [100, np.nan, np.nan]])
    with pytest.raises(BadInput):
        stacked([])


def test_twice_the_cameras_are_twice_the_bytes() -> None:
    """Every camera again under another name doubles each day."""
    days = merged(*(a_day(f"cam{n}", n % 5 + 1, recorded_bytes=n * 10) for n in range(20)))
    again = merged(days, days.with_columns(pl.col("camera") + "-b"))
    once, twice = (np.nansum(history_of(each, cameras_of()).recorded_bytes, axis=0) for each in (days, again))
    np.testing.assert_array_equal(twice, 2 * once)


def test_a_pool_is_of_the_site_whose_footage_it_has() -> None:
    """Of most of its cameras, whoever left footage there; where all were moved away, of those that did."""
    places = [("main", "north"), ("main", "north"), ("main", "south"), ("new", "south"), ("new", "south"), ("new", "south")]
    rows = [(f"c{n}", pool, site, "", "", 3, "general", "") for n, (pool, site) in enumerate(places)]
    cameras = pl.DataFrame(rows, schema=CAMERAS, orient="row")
    moved = [("c2", "old"), ("c3", "main"), ("c4", "main"), ("c5", "main")]
    left = pl.DataFrame([(camera, FIRST, pool, 5.0) for camera, pool in moved], schema=ELSEWHERE, orient="row")
    history = History(cameras, FIRST, np.ones((len(places), 2), np.float32), left)
    assert site_of_pools(history) == {"main": "north", "new": "south", "old": "south"}


def test_what_a_camera_brings_a_day_is_of_its_last_four_weeks() -> None:
    """What came before is over; a day on which it was not there counts as nothing."""
    recorded = np.full((2, 40), 100.0, np.float32)
    recorded[0, :12] = 9_999.0
    recorded[1, 12:19] = np.nan
    rows = [(f"c{n}", "main", "north", "", "", 3, "general", "") for n in range(2)]
    history = History(pl.DataFrame(rows, schema=CAMERAS, orient="row"), FIRST, recorded, pl.DataFrame(schema=ELSEWHERE))
    assert history.late_day_bytes().tolist() == [100.0, 75.0]
