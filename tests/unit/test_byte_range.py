"""The one range of a request, after RFC 9110 section 14."""

from __future__ import annotations

import pytest

from playback.byte_range import RangeNotSatisfiable, asked_range


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=5-5", (5, 6)),
        ("bytes=900-", (900, 1000)),
        ("bytes=-10", (990, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=990-5000", (990, 1000)),
        ("BYTES= 0-99 ", (0, 100)),
    ],
)
def test_one_range_is_honoured(header: str, wanted: tuple[int, int]) -> None:
    """The three forms of a range give its bytes, cut to what there is."""
    assert asked_range(header, 1000) == wanted


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "items=0-5", "bytes=0-1,5-6", "bytes=" + "9" * 99]
)
def test_anything_else_is_answered_with_everything(header: str | None) -> None:
    """Several ranges, other units and nonsense are passed over."""
    assert asked_range(header, 1000) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_of_nothing_is_refused(header: str) -> None:
    """A good range behind the end says how much there is."""
    with pytest.raises(RangeNotSatisfiable) as refused:
        asked_range(header, 1000)
    assert refused.value.size == 1000
