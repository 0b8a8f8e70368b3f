"""Whoever changes the register is found, and where."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from segments.audit_check import AuditFault, Checked, line_or_none, ties_of
from segments.audit_line import Line, Tie, parse_line, tie_behind
from segments.errors import BadInput
from tests.audit_builders import some_lines
from tests.builders import NOON_US


def register() -> list[Line]:
    """Two chains of some acts, tied together: `api.a` knows line 5 of `cli.a`, and that knows line 6 of `api.a`."""
    ours = some_lines(5)
    theirs = some_lines(5, chain="cli.a")
    ours.append(tie_behind("api.a", ours[-1], NOON_US, [Tie("cli.a", 5, theirs[-1].digest)]))
    theirs.append(tie_behind("cli.a", theirs[-1], NOON_US, [Tie("api.a", 6, ours[-1].digest)]))
    return [*ours, *some_lines(2, last=ours[-1]), *theirs]


TEXTS = [line.text for line in register()]


def faults(texts: Sequence[str]) -> list[AuditFault]:
    """What a check of these lines finds."""
    lines = [line for text in texts if (line := line_or_none(text)) is not None]
    check = Checked(ties_of(lines))
    return [*(fault for text in texts for fault in check.take(text)), *check.end()]


def places(texts: Sequence[str]) -> list[tuple[str, int, str]]:
    """Where, and what kind."""
    return [(fault.chain, fault.number, fault.reason.partition(":")[0]) for fault in faults(texts)]


def test_a_whole_register_has_no_fault() -> None:
    """Its chains one behind the other, or line by line of each in turn."""
    assert faults(TEXTS) == []
    mixed = [text for pair in zip(TEXTS[:6], TEXTS[8:], strict=True) for text in pair]
    assert faults([*mixed, *TEXTS[6:8]]) == []
    assert faults([]) == []


def test_a_changed_line_is_found() -> None:
    """A byte of a text, or a whole text written anew: at the line, or the one behind it."""
    flipped = TEXTS[2].replace("played", "plaxed")
    assert places([*TEXTS[:2], flipped, *TEXTS[3:]]) == [("api.a", 4, "changed")]
    broken = TEXTS[2].replace('"what"', '"whaT"')
    assert faults([*TEXTS[:2], broken, *TEXTS[3:]])[0].reason.startswith("changed: line 3 of the file")


def test_a_line_that_was_left_out_is_found() -> None:
    """One, several, or the first."""
    assert places([*TEXTS[:2], *TEXTS[3:]]) == [("api.a", 3, "left out")]
    assert "3 to 4" in faults([*TEXTS[:2], *TEXTS[4:]])[0].reason
    assert places(TEXTS[1:]) == [("api.a", 1, "left out")]


def test_a_line_that_was_put_in_is_found() -> None:
    """With a number that was given, or between others."""
    forged = some_lines(1, last=parse_line(TEXTS[2]), what="looked elsewhere")[0].text
    assert places([*TEXTS[:3], forged, *TEXTS[3:]]) == [("api.a", 4, "put in"), ("api.a", 5, "changed")]
    assert places([*TEXTS[:3], TEXTS[2], *TEXTS[3:]]) == [("api.a", 3, "put in")]


@pytest.mark.parametrize("left", [5, 4, 1])
def test_an_end_that_was_cut_off_is_found(left: int) -> None:
    """As another chain knew of it; which line is missing first, and who knew."""
    assert places([*TEXTS[:left], *TEXTS[8:]]) == [("api.a", left + 1, "cut off")]
    assert "cli.a 6" in faults([*TEXTS[:left], *TEXTS[8:]])[0].reason


def test_a_chain_that_is_gone_is_found() -> None:
    """All of it."""
    assert places(TEXTS[8:]) == [("api.a", 1, "cut off")]


def test_what_no_tie_knows_yet_cannot_be_found() -> None:
    """The lines since the last tie: so long an end may be cut unseen. This is what a shorter time between ties is for."""
    assert faults([*TEXTS[:6], *TEXTS[8:]]) == []


def test_a_chain_that_was_rewritten_is_found() -> None:
    """A whole chain of its own making, hashes and all: another chain was tied to the one before."""
    forged = [line.text for line in some_lines(8, what="nothing")]
    assert places([*forged, *TEXTS[8:]]) == [("api.a", 6, "changed")]


def test_swapped_chains_are_found() -> None:
    """Where lines lie under another chain's name."""
    check = Checked({})
    found = list(check.take(TEXTS[0], ("cli.a", 1)))
    assert [(fault.chain, fault.number) for fault in found] == [("cli.a", 1)]
    swapped = [text.replace('"chain":"api.a"', '"chain":"cli.b"') for text in TEXTS[:8]]
    assert ("cli.b", 2, "changed") in places([*swapped, *TEXTS[8:]])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format":"keepsight-audit-1"}', TEXTS[0] + " ", TEXTS[0].replace('"view"', '"stare"')]
)
def test_what_is_no_line_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(BadInput):
        parse_line(text)
