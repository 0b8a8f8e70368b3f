"""Receipts prove themselves: their text is canonical, and a chain tells what was changed, left out or put in."""

from __future__ import annotations

import hashlib
import json

import pytest

from segments.errors import BadInput
from segments.model import Span
from segments.receipt import Fault, checked, parse_receipt
from tests.retention_builders import a_gone, a_receipt, sha256_of


def a_chain(length: int) -> list[str]:
    """The texts of a chain's first receipts."""
    texts = [a_receipt().text]
    for number in range(2, length + 1):
        texts.append(a_receipt(number=number, previous=sha256_of(texts[-1]), older=number).text)
    return texts


def faults(lines: list[str]) -> list[int]:
    """The lines with a fault."""
    return [found.line for found in checked(lines) if isinstance(found, Fault)]


def test_a_receipt_is_its_text() -> None:
    """What it says can be read back from the line, which any JSON reader takes."""
    receipt = a_receipt()
    assert parse_receipt(receipt.text) == receipt
    assert json.loads(receipt.text)["segments"][0][1] == receipt.segments[0].key
    assert receipt.digest == hashlib.sha256(receipt.text.encode()).hexdigest()


def test_spans_are_joined_where_segments_meet() -> None:
    """Segments of a run follow each other within a second; a longer way between them parts the spans."""
    segments = tuple(a_gone(start_us=start * 1_000_000, end_us=(start + 60) * 1_000_000) for start in (0, 60, 121, 400))
    assert a_receipt(segments=segments).spans == [Span(0, 120_000_000), Span(121_000_000, 181_000_000), Span(400_000_000, 460_000_000)]


def test_a_whole_chain_has_no_fault() -> None:
    """Also where lines of two chains are mixed."""
    other = [a_receipt(chain="sweep.1-of-2").text]
    lines = a_chain(5)
    assert faults([lines[0], *other, *lines[1:]]) == []


@pytest.mark.parametrize("line", range(4))
def test_a_line_left_out_is_found(line: int) -> None:
    """The one after it does not follow."""
    lines = a_chain(5)
    del lines[line]
    assert faults(lines) == [line + 1]


def test_every_changed_byte_is_found() -> None:
    """Of the middle receipt of three, whatever byte is changed to another."""
    lines = a_chain(3)
    for place in range(len(lines[1])):
        changed = lines[1][:place] + ("0" if lines[1][place] != "0" else "1") + lines[1][place + 1 :]
        assert faults([lines[0], changed, lines[2]]), changed


def test_a_changed_end_of_a_chain_is_no_receipt_or_another() -> None:
    """Of the last line only what contradicts itself or its chain can be told; the text must be canonical."""
    with pytest.raises(BadInput, match="canonical"):
        parse_receipt(a_receipt().text.replace('"number":1', '"number": 1'))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format":"x"}', a_receipt().text[:-1], a_receipt().text.replace("2026-03-14", "x", 1)]
)
def test_what_is_no_receipt_is_said_so(text: str) -> None:
    """Any other text is a fault of its line and not an error of ours."""
    with pytest.raises(BadInput):
        parse_receipt(text)
