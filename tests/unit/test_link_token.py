"""Tokens of links: what one says comes back, anything else is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playback.link_token import LONGEST_ENTRY_US, MAX_TOKEN_CHARS, LinkKeys, LinkRefused, Use, new_link
from segments.clock import US_PER_S
from segments.errors import BadInput
from segments.model import Span
from tests.builders import NOON_US

KEYS = LinkKeys("home", ["a" * 40])
SPAN = Span(NOON_US, NOON_US + 60 * US_PER_S)
LINK = new_link("key:7", "gate", SPAN, Use.HLS, NOON_US + 60 * US_PER_S)


@given(subject=st.text(max_size=200), start=st.integers(0, 2**52), length=st.integers(1, 2**40), use=st.sampled_from(Use))
def test_a_token_says_its_link(subject: str, start: int, length: int, use: Use) -> None:
    """Whatever the subject is called: read again it is the same link, and the address needs no more escaping than it has."""
    link = new_link(subject, "gate", Span(start, start + length), use, NOON_US)
    token = KEYS.token(link)
    assert KEYS.read(token, NOON_US - 1) == link
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    """One letter changed, taken away or added, anywhere."""
    token = KEYS.token(LINK)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(["", "A", "b", "9", "_", ".", "=", " ", "é"]))
    changed = token[:place] + other + token[place + 1 :]
    if changed != token:
        with pytest.raises(LinkRefused):
            KEYS.read(changed, NOON_US)
    with pytest.raises(LinkRefused):
        KEYS.read(token[:place] + (other or "x") + token[place:], NOON_US)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "A" * (MAX_TOKEN_CHARS + 1), "null", "e30.e30.e30"])
def test_what_is_no_token_is_refused(text: str) -> None:
    """Without a word of why."""
    with pytest.raises(LinkRefused, match="not one of this site"):
        KEYS.read(text, NOON_US)


def test_a_token_ends_at_its_moment() -> None:
    """The microsecond before it is good, from that moment on it is not."""
    token = KEYS.token(LINK)
    assert KEYS.read(token, LINK.expires_us - 1) == LINK
    with pytest.raises(LinkRefused, match="expired"):
        KEYS.read(token, LINK.expires_us)


def test_keys_are_changed_without_breaking_links() -> None:
    """With a new key in front links of the old one are still read, until it is off the list; another site with the same key reads none."""
    old, new = "a" * 40, "b" * 40
    token = LinkKeys("home", [old]).token(LINK)
    assert LinkKeys("home", [new, old]).read(token, NOON_US) == LINK
    assert LinkKeys("home", [new, old]).token(LINK) == LinkKeys("home", [new]).token(LINK)
    for keys in (LinkKeys("home", [new]), LinkKeys("south", [old]), LinkKeys.of_this_process()):
        with pytest.raises(LinkRefused):
            keys.read(token, NOON_US)


@pytest.mark.parametrize("keys", [[], ["short"], ["a" * 40, ""]])
def test_keys_that_could_be_guessed_are_refused(keys: list[str]) -> None:
    """Without their text in the sentence."""
    with pytest.raises(BadInput) as caught:
        LinkKeys("home", keys)
    assert "short" not in str(caught.value)


def test_entries_live_longer_and_never_for_ever() -> None:
    """A minute of footage may be watched for an hour and a minute, a day for 12 h; a token of an entry makes none that outlives it."""
    entry = LINK.for_entries(NOON_US)
    assert (entry.expires_us, entry.start) == (NOON_US + 3660 * US_PER_S, False)
    assert (entry.subject_id, entry.camera, entry.span, entry.use, entry.nonce) == ("key:7", "gate", SPAN, Use.HLS, LINK.nonce)
    assert entry.for_entries(NOON_US + 3600 * US_PER_S) is entry
    day = replace(LINK, span=Span(NOON_US, NOON_US + 86_400 * US_PER_S))
    assert day.for_entries(NOON_US).expires_us == NOON_US + LONGEST_ENTRY_US
