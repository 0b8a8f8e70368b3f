"""The fragment table's bytes: round trip, size, limits and damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.errors import BadInput, DataDamaged
from segments.model import Fragment
from segments.row_codec import MAX_FRAGMENTS, decode_fragments, encode_fragments
from tests.builders import some_fragments

_COUNTS = st.integers(0, 1 << 40)
_TABLES = st.lists(st.builds(Fragment, _COUNTS, _COUNTS, _COUNTS, st.integers(-(1 << 40), 1 << 40), _COUNTS), max_size=40).map(tuple)


@given(_TABLES)
def test_any_table_comes_back_as_it_was(table: tuple[Fragment, ...]) -> None:
    """What was encoded is decoded, overlapping and backward fragments included."""
    assert decode_fragments(encode_fragments(table)) == table


def test_bytes_are_those_of_the_layout() -> None:
    """The layout is fixed by hand-made bytes, so that tables written today are read by later programs."""
    table = (Fragment(offset=300, length=5, key_length=2, pts=-1, duration=64), Fragment(305, 128, 0, 63, 63))
    first = bytes([0xD8, 0x04, 5, 2, 1, 0x80, 0x01])
    second = bytes([0, 0x80, 0x01, 0, 0, 1])
    assert encode_fragments(table) == bytes([1, 2]) + first + second


def test_a_usual_segment_takes_at_most_ten_bytes_a_fragment() -> None:
    """A minute of regular 1 MB fragments stays small enough for 1,440 rows a partition."""
    table = some_fragments(30)
    assert len(encode_fragments(table)) <= 10 * len(table)


def test_no_fragments_are_a_table_too() -> None:
    """An empty table has two bytes."""
    assert encode_fragments(()) == b"\x01\x00"
    assert decode_fragments(b"\x01\x00") == ()


def test_every_cut_is_damage() -> None:
    """A table cut at any byte is refused rather than read as a shorter one."""
    whole = encode_fragments(some_fragments(3))
    for length in range(len(whole)):
        with pytest.raises(DataDamaged):
            decode_fragments(whole[:length])


@pytest.mark.parametrize("data", [b"\x02\x00", b"\x01\x00\x00", b"\x01" + b"\xff" * 12, b"\x01\xff\xff\xff\x7f"])
def test_other_bytes_are_damage(data: bytes) -> None:
    """An unknown version, bytes too many, an endless number and an impossible count are refused."""
    with pytest.raises(DataDamaged):
        decode_fragments(data)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    """Whatever the bytes: a table, or DataDamaged."""
    try:
        decode_fragments(data)
    except DataDamaged:
        return


def test_the_limits_are_refused_at_the_door() -> None:
    """Too many fragments and impossible numbers are bad input, not a table nobody can read."""
    with pytest.raises(BadInput):
        encode_fragments(some_fragments(1) * (MAX_FRAGMENTS + 1))
    with pytest.raises(BadInput):
        encode_fragments([Fragment(0, -1, 0, 0, 0)])
