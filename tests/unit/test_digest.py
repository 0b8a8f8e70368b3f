"""Digests of camera-days: the number itself, which two sites of different versions must agree on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from segments.digest import HOURS, NOTHING, Digest, digest_of_marks, digest_of_rows, digests_of_hours, mark_of, parse_digest
from segments.errors import BadInput
from tests.builders import NOON_US, a_row, some_rows

ROW = replace(a_row(camera="gate-1", run="home-a-7-2"), start_us=NOON_US, end_us=NOON_US + 60_000_000, counter=12, size=30_100_000)


def test_the_digest_of_a_row_is_a_hash_of_seven_facts() -> None:
    """BLAKE2b of 128 bits over camera, start, run, counter, end, size and SHA-256, as texts with spaces between."""
    text = f"gate-1 {NOON_US} home-a-7-2 12 {NOON_US + 60_000_000} 30100000 {ROW.sha256}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert str(digest_of_rows([ROW])) == f"1:{digest}"
    assert parse_digest(f"1:{digest}") == digest_of_marks([mark_of(ROW)])


@pytest.mark.parametrize("change", [{"run": "home-b-7-2"}, {"counter": 13}, {"end_us": NOON_US + 1}, {"size": 1}, {"sha256": "0" * 64}])
def test_each_of_them_counts(change: dict[str, object]) -> None:
    """A row that differs in one of them has another digest."""
    assert digest_of_rows([replace(ROW, **change)]) != digest_of_rows([ROW])


def test_what_is_a_sites_own_does_not_count() -> None:
    """Pool, version and fragments may differ from site to site."""
    assert digest_of_rows([replace(ROW, pool="cold", version="7", fragments=())]) == digest_of_rows([ROW])


def test_hours_add_up_to_their_day() -> None:
    """In whatever order rows come; an hour without rows is nothing."""
    marks = [mark_of(row) for row in some_rows(200)]
    hours = digests_of_hours(marks[::-1])
    total = NOTHING
    for hour in hours:
        total = total.plus(hour)
    assert (total, len(hours), hours[0]) == (digest_of_marks(marks), HOURS, NOTHING)


@pytest.mark.parametrize("text", ["", "1", "1:", "1:" + "g" * 32, "x:" + "0" * 32, "1:" + "0" * 31])
def test_what_is_no_digest_is_refused(text: str) -> None:
    """BadInput, and nothing that could be taken for a digest."""
    with pytest.raises(BadInput, match="no digest"):
        parse_digest(text)
    assert parse_digest(f"3:{5:032x}") == Digest(3, 5)
