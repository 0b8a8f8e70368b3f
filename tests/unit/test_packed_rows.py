"""Packed rows of batches: round trip, groups, overlaps, pages and damage."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.clock import US_PER_DAY
from segments.errors import BadInput, DataDamaged
from segments.model import Fragment, Row
from segments.row_codec import MAX_FRAGMENTS
from segments.stores.packed_rows import GROUP_BYTES, GROUP_ROWS, PackedRows, pack_rows, page_of_packed
from tests.builders import NOON_US, a_batch, a_row, some_fragments, some_rows

_COUNTS = st.integers(0, 1 << 40)
_TABLES = st.lists(st.builds(Fragment, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS), max_size=4).map(tuple)
_ROWS = st.builds(
    a_row,
    start_us=st.integers(NOON_US, NOON_US + 3),
    run=st.sampled_from(["home-a-1-1", "家-a-1-1"]),
    counter=st.integers(0, 3),
    fragments=_TABLES,
    pool=st.text(max_size=3),
    version=st.text(max_size=3),
    codecs=st.text(max_size=3),
    clock_synced=st.booleans(),
)


def packed(rows: Sequence[Row]) -> list[PackedRows]:
    """The rows in the groups they make."""
    return list(pack_rows(a_batch(), rows))


def unpacked(groups: Iterable[PackedRows], limit: int = 10_000) -> Sequence[Row]:
    """The rows of groups that were written in this order, of the first page."""
    return page_of_packed(a_batch(), [(group.digest, group.body) for group in groups], None, limit).items


@given(st.lists(st.lists(_ROWS, max_size=6), max_size=4), st.integers(1, 5))
def test_any_rows_come_back(writes: list[list[Row]], limit: int) -> None:
    """Whatever is put together and page by page: each position once, in order, as it was put last (the model is a dict)."""
    found = [(group.digest, group.body) for rows in writes for group in packed(rows)]
    expected = {row.position: row for rows in writes for row in rows}
    page = page_of_packed(a_batch(), found, None, limit)
    got = list(page.items)
    while page.next is not None:
        page = page_of_packed(a_batch(), found, page.next, limit)
        got += page.items
    assert got == [row for _, row in sorted(expected.items())]


@given(st.lists(_ROWS, min_size=1, max_size=6, unique_by=lambda row: row.position), st.randoms(use_true_random=False))
def test_the_same_rows_make_the_same_group(rows: list[Row], dice: random.Random) -> None:
    """In any order: so a write that is repeated writes the same value again."""
    others = list(rows)
    dice.shuffle(others)
    assert packed(others) == packed(rows)


def test_groups_end_by_number_and_by_size() -> None:
    """A day of minutes is three groups, and long tables make more of them, each below a MiB and a half; every group says its last start."""
    day = some_rows(1440, start_us=NOON_US - US_PER_DAY // 2, fragments=some_fragments(60))
    groups = packed(day)
    assert [group.last_us for group in groups] == [day[GROUP_ROWS - 1].start_us, day[2 * GROUP_ROWS - 1].start_us, day[-1].start_us]
    assert sum(len(group.body) for group in groups) < 1440 * 800
    assert unpacked(groups) == day
    long = tuple(Fragment(n << 50, 1 << 40, 1 << 40, n % 2 << 50, n % 2 << 50) for n in range(MAX_FRAGMENTS))
    sizes = [len(group.body) for group in packed(some_rows(5, fragments=long))]
    assert len(sizes) == 3
    assert max(sizes) < 3 * GROUP_BYTES


def test_no_rows_are_no_group() -> None:
    """Nothing is written for nothing, and nothing found are no rows."""
    assert packed([]) == []
    assert unpacked([]) == []


@pytest.mark.parametrize(
    "rows",
    [
        [a_row(camera="yard")],
        [a_row(start_us=NOON_US + US_PER_DAY)],
        [a_row(), a_row(start_us=NOON_US + US_PER_DAY)],
    ],
)
def test_rows_of_another_camera_day_are_bad_input(rows: list[Row]) -> None:
    """The batch's camera is not in the bytes, so it has to be the rows'."""
    with pytest.raises(BadInput):
        packed(rows)


def test_every_damage_is_seen() -> None:
    """Each byte changed, each cut, and a body under another's digest are refused, with the camera-day; unharmed it is read."""
    (group,) = packed(some_rows(2, fragments=some_fragments(2)))
    assert len(unpacked([group])) == 2
    changed = [group.body[:at] + bytes([group.body[at] ^ 1]) + group.body[at + 1 :] for at in range(len(group.body))]
    for body in (*changed, *(group.body[:length] for length in range(len(group.body)))):
        with pytest.raises(DataDamaged, match="the batch of gate 2026-03-14 are not as they were written"):
            unpacked([group._replace(body=body)])


def test_without_the_digest_damage_would_be_read() -> None:
    """The negative control: under a digest of its own a changed body is taken, and another version of the layout is named."""
    (group,) = packed(some_rows(1))
    other = group.body.replace(b'"v1"', b'"v9"')
    assert unpacked([PackedRows(group.last_us, sha256(other).digest(), other)]) == [replace(some_rows(1)[0], version="v9")]
    newer = struct.pack("<B", 2) + group.body[1:]
    with pytest.raises(DataDamaged, match="of version 2; this program reads version 1"):
        unpacked([PackedRows(group.last_us, sha256(newer).digest(), newer)])
