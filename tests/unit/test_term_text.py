"""Terms as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.term_text import parse_term
from segments.errors import BadInput
from segments.tier import Term


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("30 days", Term(days=30)),
        ("1 month", Term(months=1)),
        (" longer of 90 days  and 3 months", Term(days=90, months=3)),
        ("The longer of 3 months and 90 days, and 7 days more", Term(90, 3, 7)),
        ("6 months and 1 day more", Term(months=6, more_days=1)),
    ],
)
def test_terms_are_read_as_they_are_written(text: str, term: Term) -> None:
    """Days, months, the longer of both, and days on top."""
    assert parse_term(text) == term


@given(st.builds(Term, st.integers(0, 40_000), st.integers(0, 1_300), st.integers(0, 400)))
def test_what_a_term_prints_is_read_back(term: Term) -> None:
    """Whatever it is made of."""
    assert parse_term(str(term)) == term


@pytest.mark.parametrize(
    "text", ["", "30", "a month", "30 days and 1 month", "longer of 1 day and 2 days", "-3 days", "1 year", "999999 days"]
)
def test_what_is_no_term_is_refused(text: str) -> None:
    """Nothing is guessed: which of two is meant, or how long a year is."""
    with pytest.raises(BadInput, match="is no term: write it as"):
        parse_term(text)
