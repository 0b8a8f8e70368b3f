"""The fragment table's bytes: round trip, size, limits and damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.errors import BadInput, DataDamaged
from segments.model import Fragment
from segments.row_codec import MAX_FRAGMENTS, VERSION, decode_fragments, encode_fragments
from tests.builders import some_fragments

_COUNTS = st.integers(0, 1 << 40)
_TABLES = st.lists(st.builds(Fragment, _COUNTS, _COUNTS, _COUNTS, st.integers(-(1 << 40), 1 << 40), _COUNTS), max_size=40).map(tuple)

TABLE = (Fragment(offset=300, length=5, key_length=2, pts=-1, duration=64), Fragment(305, 128, 0, 63, 63))
_WHOLE = encode_fragments(TABLE)
SPOILED = (_WHOLE + b"\x00", b"\x02\xff\xff" + _WHOLE[3:], _WHOLE[:27] + b"\x03" + _WHOLE[28:], _WHOLE[:29] + b"\x01" + _WHOLE[30:])


@given(_TABLES)
def test_any_table_comes_back_as_it_was(table: tuple[Fragment, ...]) -> None:
    """What was encoded is decoded, overlapping and backward fragments included."""
    assert decode_fragments(encode_fragments(table)) == table


def test_bytes_are_those_of_the_layout() -> None:
    """The layout is fixed by hand-made bytes, so that tables written today are read by later programs."""
    head = bytes([2, 2, 0]) + bytes([0x2C, 0x01, *bytes(6)]) + b"\xff" * 8 + bytes([64, *bytes(7)]) + bytes([2, 1, 0, 0, 1])
    lengths, key_lengths, changes = bytes([5, 0, 128, 0]), bytes([2, 0]), b"\xff"
    assert encode_fragments(TABLE) == head + lengths + key_lengths + changes


def test_tables_of_version_1_are_read() -> None:
    """The bytes the first release wrote, again made by hand; and a cut or an addition is damage as ever."""
    first, second = bytes([0xD8, 0x04, 5, 2, 1, 0x80, 0x01]), bytes([0, 0x80, 0x01, 0, 0, 1])
    whole = bytes([1, 2]) + first + second
    assert decode_fragments(whole) == TABLE
    assert decode_fragments(b"\x01\x00") == ()
    for damaged in (*(whole[:length] for length in range(len(whole))), whole + b"\x00"):
        with pytest.raises(DataDamaged):
            decode_fragments(damaged)


def test_a_usual_segment_takes_at_most_ten_bytes_a_fragment() -> None:
    """A minute of regular 1 MB fragments (8 bytes each, and the head) stays small enough for 1,440 rows a partition."""
    table = some_fragments(30)
    assert len(encode_fragments(table)) <= 10 * len(table)


def test_no_fragments_are_a_table_too() -> None:
    """An empty table is its head alone."""
    assert encode_fragments(()) == bytes([VERSION, *bytes(31)])
    assert decode_fragments(encode_fragments(())) == ()


@pytest.mark.parametrize("most", [0, 127, 128, 32_767, 32_768, (1 << 31) - 1, 1 << 31, (1 << 62) - 1])
def test_columns_are_as_wide_as_their_greatest_number(most: int) -> None:
    """At the limits of each width what goes in comes out, in differences of both signs too; the bytes are those the width asks for."""
    table = (Fragment(0, most, 0, most, 0), Fragment(0, 0, most, -most - 1, most))
    assert decode_fragments(encode_fragments(table)) == table
    width = next(width for width in (0, 1, 2, 4, 8) if most < 1 << max(8 * width - 1, 0))
    assert len(encode_fragments((Fragment(0, most, 0, 0, 0),))) == 32 + width


def test_every_cut_is_damage() -> None:
    """A table cut at any byte is refused rather than read as a shorter one."""
    whole = encode_fragments(some_fragments(3))
    for length in range(len(whole)):
        with pytest.raises(DataDamaged):
            decode_fragments(whole[:length])


@pytest.mark.parametrize("data", [b"\x03\x00", b"\x01\x00\x00", b"\x01" + b"\xff" * 12, b"\x01\xff\xff\xff\x7f", *SPOILED])
def test_other_bytes_are_damage(data: bytes) -> None:
    """An unknown version, bytes too many, an endless number, and an impossible count or width are refused."""
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
    for fragment in (Fragment(0, -1, 0, 0, 0), Fragment(0, 0, -1, 0, 0), Fragment(1 << 63, 0, 0, 0, 0)):
        with pytest.raises(BadInput):
            encode_fragments([fragment])
    with pytest.raises(BadInput):
        encode_fragments([Fragment(0, 1 << 62, 0, 0, 0), Fragment(-(1 << 62) - 1, 0, 0, 0, 0)])
