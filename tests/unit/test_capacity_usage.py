"""Usage: against sums made by hand, and the laws that hold for any cameras."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from capacity.days import DAYS
from capacity.encoders import bitrates, hot
from capacity.formula import compute
from capacity.formulas import FORMULAS
from capacity.history import CAMERAS
from capacity.usage import KEPT, LINES, daily_of, daily_together, lines_of, usage_by
from segments.errors import BadInput
from segments.usage import By

FIRST = date(2026, 3, 1)
GB = 10**9
H264 = "avc1 1920x1080"


def a_day(camera: str, day: int = 0, pool: str = "main", kind: str = H264, *, gb: float = 40.0, s: float = 86_400.0) -> dict[str, object]:
    """What a camera recorded on the nth day: segments of a minute."""
    when = FIRST + timedelta(days=day)
    return dict(zip(DAYS, (camera, when, pool, kind, round(s / 60), round(gb * GB), s), strict=True))


def days(*lines: dict[str, object]) -> pl.DataFrame:
    """A day frame."""
    return pl.DataFrame(lines, schema=DAYS)


def cameras(*ids: str, **columns: object) -> pl.DataFrame:
    """Cameras that are alike, but for the columns given."""
    usual = {"pool": "main", "site": "here", "area": "town/north", "owner": "police", "class": 1, "tier": "general", "kind": H264}
    return pl.DataFrame([{"camera": each, **usual, **columns} for each in ids], schema=CAMERAS)


def only(frame: pl.DataFrame) -> dict[str, object]:
    """Its one line."""
    assert frame.height == 1
    return frame.row(0, named=True)


def test_what_two_cameras_record_in_two_days_adds_up() -> None:
    """Reckoned by hand: 2 cameras, 3 camera-days, 100 GB, two days and a half of footage."""
    found = only(usage_by(lines_of(days(a_day("a"), a_day("a", 1), a_day("b", 1, gb=20, s=43_200)), cameras("a", "b"))))
    assert (found["cameras"], found["camera_days"], found["recorded_bytes"], found["segments"]) == (2, 3, 100 * GB, 3_600)
    assert found["bytes_per_camera_day"] == pytest.approx(100 * GB / 3)
    assert found["s_per_camera_day"] == 72_000
    assert found["objects_per_camera_day"] == found["rows_per_camera_day"] == 1_200
    assert found["requests_per_camera_day"] == 2_400, "a PUT, and a DELETE later"
    assert found["bytes_per_day"] == 50 * GB
    assert found["bit_per_s"] == pytest.approx(100 * GB * 8 / 216_000)


def test_the_requests_are_those_a_plan_reckons() -> None:
    """Ten cameras that record 95 per cent of the time in minutes: PUT/s by the formula of plans is PUT/s of usage."""
    ids = [f"c{n}" for n in range(10)]
    text = next(each.text for each in FORMULAS if each.name == "puts_per_s")
    given = {"cameras": 10.0, "recorded_share": 0.95, "segment_s": 60.0}
    planned = compute(text, {name: np.array([value]) for name, value in given.items()})
    found = usage_by(lines_of(days(*(a_day(each, day, s=0.95 * 86_400) for each in ids for day in range(3))), cameras(*ids)))
    assert found["puts_per_s"].item() == pytest.approx(float(planned[0]))


def test_a_camera_day_in_two_pools_is_one() -> None:
    """It counts where most of its bytes are; bytes and seconds count where they lie."""
    lines = lines_of(days(a_day("a", gb=30), a_day("a", pool="old", gb=10)), cameras("a"))
    assert only(usage_by(lines))["camera_days"] == 1
    by_pool = {row["pool"]: row for row in usage_by(lines, [By.POOL]).iter_rows(named=True)}
    assert (by_pool["main"]["camera_days"], by_pool["old"]["camera_days"]) == (1, 0)
    assert by_pool["old"]["recorded_bytes"] == 10 * GB
    assert by_pool["old"]["bytes_per_camera_day"] is None, "nothing is divided by no day"


def test_the_share_of_footage_held_is_of_what_is_kept() -> None:
    """Also of a camera that records nothing any more; it is no camera of these days."""
    kept = pl.DataFrame([("a", "main", 300, 100), ("gone", "main", 100, 100)], schema=KEPT, orient="row")
    found = only(usage_by(lines_of(days(a_day("a")), cameras("a"), kept)))
    assert (found["kept_bytes"], found["held_bytes"], found["held_share"], found["cameras"]) == (400, 200, 0.5, 1)


def test_a_camera_nobody_knows_is_counted_still() -> None:
    """Of class 3, and of no area and owner."""
    found = only(usage_by(lines_of(days(a_day("gone")), cameras("a")), [By.AREA, By.CLASS, By.OWNER]))
    assert (found["area"], found["class"], found["owner"], found["recorded_bytes"]) == ("", 3, "", 40 * GB)


def test_areas_are_summed_to_a_depth() -> None:
    """Two districts are one city."""
    known = pl.concat([cameras("a", area="xiamen/siming"), cameras("b", area="xiamen/huli"), cameras("c", area="fuzhou")])
    lines = lines_of(days(a_day("a"), a_day("b"), a_day("c")), known)
    assert dict(usage_by(lines, [By.AREA], depth=1).select("area", "cameras").iter_rows()) == {"xiamen": 2, "fuzhou": 1}
    assert usage_by(lines, [By.AREA]).height == 3


def test_each_day_has_its_own_sum() -> None:
    """In order, and not by camera: a frame of cameras by days is what the history is for."""
    recorded = days(a_day("a", 1, gb=10), a_day("a", 0), a_day("b", 1))
    daily = daily_of(recorded, cameras("a", "b"), [])
    assert daily["recorded_bytes"].to_list() == [40 * GB, 50 * GB]
    assert daily["camera_days"].to_list() == [1, 2]
    with pytest.raises(BadInput, match="choose another --by"):
        daily_of(recorded, cameras("a", "b"), [By.CAMERA])


def test_nothing_recorded_is_no_error() -> None:
    """An installation of a minute has no day yet."""
    lines = lines_of(days(), cameras("a"))
    assert only(usage_by(lines))["camera_days"] == 0
    assert dict(lines.schema) == LINES
    assert usage_by(lines, [By.POOL]).is_empty()
    assert hot(lines).is_empty()
    assert bitrates(lines).is_empty()


def test_footage_whose_seconds_are_not_known_makes_no_bitrate() -> None:
    """Half of the bytes are of a day no run is known of: the rate is that of the other half."""
    lines = lines_of(days(a_day("a", gb=43.2), a_day("a", 1, kind="", gb=43.2, s=0)), cameras("a"))
    assert only(usage_by(lines))["bit_per_s"] == pytest.approx(4e6)
    assert only(bitrates(lines))["p50_bit_per_s"] == pytest.approx(4e6)


def test_nothing_is_summed_by_a_thing_twice() -> None:
    """It says so."""
    with pytest.raises(BadInput, match="only once"):
        usage_by(lines_of(days(a_day("a")), cameras("a")), [By.POOL, By.POOL])


LINE = st.tuples(
    st.sampled_from("abcd"), st.integers(0, 3), st.sampled_from(["main", "old"]), st.integers(0, 10**12), st.integers(0, 2 * 86_400)
)
RECORDED = st.lists(LINE, max_size=24, unique_by=lambda line: line[:3])
GROUPS = st.lists(st.sampled_from(By), unique=True, max_size=3)


def frames(recorded: list[tuple[str, int, str, int, int]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Days and cameras of drawn lines; half of the cameras lie elsewhere and are of another class."""
    known = pl.concat([cameras("a", "b"), cameras("c", area="town/south", **{"class": 2})])
    return days(*(a_day(camera, day, pool, gb=size / GB, s=s) for camera, day, pool, size, s in recorded)), known


@settings(max_examples=25, deadline=None)
@drawn(RECORDED, GROUPS)
def test_groups_add_up_to_the_whole(recorded: list[tuple[str, int, str, int, int]], by: list[By]) -> None:
    """Whatever it is summed by, no byte and no camera-day is lost or counted twice; the sums are those of a plain loop."""
    lines = lines_of(*frames(recorded))
    groups = usage_by(lines, by)
    assert groups["recorded_bytes"].sum() == sum(size for *_, size, _ in recorded)
    assert groups["camera_days"].sum() == len({(camera, day) for camera, day, *_ in recorded})
    looped: Counter[str] = Counter()
    for camera, _, _, size, _ in recorded:
        looped[camera] += size
    assert dict(usage_by(lines, [By.CAMERA]).select("camera", "recorded_bytes").iter_rows()) == dict(looped)


@settings(max_examples=25, deadline=None)
@drawn(RECORDED)
def test_twice_the_cameras_are_twice_the_bytes(recorded: list[tuple[str, int, str, int, int]]) -> None:
    """And camera-days, objects and requests; what is of one camera-day stays as it is."""
    frame, known = frames(recorded)
    twins = [each.with_columns(pl.col("camera") + "-twin") for each in (frame, known)]
    once = usage_by(lines_of(frame, known))
    twice = usage_by(lines_of(pl.concat([frame, twins[0]]), pl.concat([known, twins[1]])))
    for name in ("cameras", "camera_days", "segments", "recorded_bytes"):
        assert twice[name].item() == 2 * once[name].item()
    same = ["bytes_per_camera_day", "objects_per_camera_day", "bit_per_s"]
    assert_frame_equal(twice.select(same), once.select(same))


@settings(max_examples=25, deadline=None)
@drawn(RECORDED, GROUPS)
def test_bucket_by_bucket_is_the_same_as_all_at_once(recorded: list[tuple[str, int, str, int, int]], by: list[By]) -> None:
    """What makes 400,000 cameras bounded changes no figure."""
    frame, known = frames(recorded)
    buckets = [frame.filter(pl.col("camera").is_in(mine)) for mine in (["a", "d"], ["b"], ["c"])]
    assert_frame_equal(usage_by(pl.concat([lines_of(each, known) for each in buckets]), by), usage_by(lines_of(frame, known), by))
    of_days = [each for each in by if each is not By.CAMERA]
    daily = daily_together([daily_of(each, known, of_days, depth=1) for each in buckets], of_days)
    assert_frame_equal(daily, daily_of(frame, known, of_days, depth=1))


def test_the_encoder_set_to_thirty_megabit_is_hot() -> None:
    """Twenty at about 4 Mbit/s and one at 30: that one, with how much it wastes; of H.265 at half the rate none."""
    usual = [a_day(f"c{n:02}", gb=43.2 * (0.9 + n / 100)) for n in range(20)]
    modern = [a_day(f"m{n}", kind="hvc1 1920x1080", gb=21.6) for n in range(8)]
    found = only(hot(lines_of(days(*usual, *modern, a_day("hot", gb=324)), cameras("hot", owner="harbour"))))
    assert (found["camera"], found["owner"], found["bit_per_s"]) == ("hot", "harbour", pytest.approx(30e6))
    assert found["factor"] == pytest.approx(7.5, rel=0.02)
    assert found["wasted_bytes_per_day"] == pytest.approx((324 - 43.2) * GB, rel=0.02)


def test_an_outage_makes_no_camera_modest_and_a_lively_kind_has_no_hot_ones() -> None:
    """A bitrate is of the seconds recorded; and a camera at 2.3 times the middle is one of many where they spread that far."""
    broken = [a_day(f"c{n}", gb=43.2) for n in range(10)] + [a_day("short", gb=43.2, s=21_600)]
    assert hot(lines_of(days(*broken), cameras()))["camera"].to_list() == ["short"], "16 Mbit/s, though of an ordinary day's bytes"
    lively = [a_day(f"c{n}", gb=20 * 1.12**n) for n in range(16)]
    assert hot(lines_of(days(*lively), cameras())).is_empty()


def test_few_of_a_kind_and_unknown_kinds_are_compared_with_nothing() -> None:
    """Nobody can say what is usual of seven cameras."""
    few = [a_day(f"c{n}", gb=40) for n in range(6)]
    assert hot(lines_of(days(*few, a_day("hot", gb=400)), cameras())).is_empty()
    unknown = [a_day(f"c{n}", kind="", gb=40) for n in range(20)]
    assert hot(lines_of(days(*unknown, a_day("hot", kind="", gb=400)), cameras())).is_empty()


def test_the_distribution_of_bitrates_is_that_of_its_cameras() -> None:
    """A hundred and one cameras of 1.00, 1.01 ... 2.00 Mbit/s: the middle is 1.5, a twentieth lies below 1.05."""
    lines = lines_of(days(*(a_day(f"c{n}", gb=(1 + n / 100) * 10.8) for n in range(101))), cameras())
    found = only(bitrates(lines))
    assert (found["kind"], found["cameras"]) == (H264, 101)
    told = [found[f"p{each:02}_bit_per_s"] for each in (5, 25, 50, 75, 95)]
    assert told == pytest.approx([1.05e6, 1.25e6, 1.5e6, 1.75e6, 1.95e6])
    assert found["most_bit_per_s"] == pytest.approx(2e6)
