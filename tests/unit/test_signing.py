"""Signatures between sites: good for one request to one site, by one key, for five minutes, once."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.signing import WINDOW_US, Asked, Nonces, Seal, body_hash, seal_of, sign, verify
from segments.clock import US_PER_S
from segments.errors import BadInput, Refused, TryAgain
from tests.asked_site import KEY
from tests.builders import NOON_US

ASKED = Asked("south", "north", "POST", "/sites/rows?a=%20", body_hash(b"{}"))
NONCE = "0123456789abcdef" * 2


def signed(**changes: str) -> dict[str, str]:
    return sign(KEY, ASKED, now_us=NOON_US, nonce=NONCE) | changes


def a_seal(n: int = 0, time_us: int = NOON_US) -> Seal:
    return Seal(time_us, f"{n:032x}", "0" * 64)


def test_the_signature_is_what_the_reference_says() -> None:
    """HMAC-SHA256 of the eight lines, computed here by themselves; the key is in no header."""
    lines = ["keepsight-1", "south", "north", "POST", "/sites/rows?a=%20", hashlib.sha256(b"{}").hexdigest(), str(NOON_US), NONCE]
    expected = hmac.new(KEY.encode(), "\n".join(lines).encode(), "sha256").hexdigest()

    assert signed()["keepsight-signature"] == expected
    assert all(KEY not in value for value in signed().values())
    verify(KEY, ASKED, seal_of(signed()), now_us=NOON_US)


@pytest.mark.parametrize("field", Asked._fields)
def test_every_part_is_signed(field: str) -> None:
    """With any part changed the signature is refused, and what is said does not tell the key."""
    with pytest.raises(Refused) as caught:
        verify(KEY, ASKED._replace(**{field: getattr(ASKED, field) + "x"}), seal_of(signed()), now_us=NOON_US)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"keepsight-time": str(NOON_US + 1)}, {"keepsight-nonce": "f" * 32}, {"keepsight-signature": "0" * 64}]
)
def test_the_seal_is_signed(changes: dict[str, str]) -> None:
    """Neither time, nor nonce, nor signature can be another's; nor the key."""
    with pytest.raises(Refused):
        verify(KEY, ASKED, seal_of(signed(**changes)), now_us=NOON_US)
    with pytest.raises(Refused):
        verify(KEY + "x", ASKED, seal_of(signed()), now_us=NOON_US)


@pytest.mark.parametrize(("later_us", "fine"), [(WINDOW_US, True), (-WINDOW_US, True), (WINDOW_US + 1, False), (-WINDOW_US - 1, False)])
def test_a_signature_is_good_for_five_minutes(later_us: int, fine: bool) -> None:
    """Before and after; what is too old is told, as a clock may be wrong."""
    seal = seal_of(signed())
    if fine:
        verify(KEY, ASKED, seal, now_us=NOON_US + later_us)
        return
    with pytest.raises(Refused, match="clock"):
        verify(KEY, ASKED, seal, now_us=NOON_US + later_us)


@given(st.dictionaries(st.sampled_from(sorted(signed())), st.text(max_size=70)))
def test_odd_headers_are_refused(changes: dict[str, str]) -> None:
    """Whatever the headers hold, there is a seal, or one sentence of ours."""
    with suppress(BadInput, Refused):
        verify(KEY, ASKED, seal_of(signed(**changes)), now_us=NOON_US)


def test_a_request_is_answered_once() -> None:
    """As long as it could be sent again, its nonce is known; others are not held up by it."""
    nonces = Nonces(since_us=NOON_US - US_PER_S)
    nonces.spend(a_seal(1), now_us=NOON_US)
    nonces.spend(a_seal(2), now_us=NOON_US)
    for later_us in (0, US_PER_S, WINDOW_US, 3 * WINDOW_US, -WINDOW_US):
        with pytest.raises(Refused):
            nonces.spend(a_seal(1), now_us=NOON_US + later_us)


def test_a_clock_that_is_set_back_opens_nothing() -> None:
    """What was forgotten since it could not be sent again any more is still refused when the clock goes back."""
    nonces = Nonces(since_us=0)
    nonces.spend(a_seal(1), now_us=NOON_US)
    nonces.spend(a_seal(2, NOON_US + 3 * WINDOW_US), now_us=NOON_US + 3 * WINDOW_US)
    with pytest.raises(Refused):
        nonces.spend(a_seal(1), now_us=NOON_US)


def test_what_was_signed_before_the_start_is_put_off() -> None:
    """A process that began anew does not know what it has seen before."""
    with pytest.raises(TryAgain, match="anew"):
        Nonces(since_us=NOON_US).spend(a_seal(time_us=NOON_US - 1), now_us=NOON_US)


def test_nonces_are_bounded() -> None:
    """More than so many within the window are put off, and let in again once the first are forgotten."""
    nonces = Nonces(since_us=0, most=3)
    for n in range(3):
        nonces.spend(a_seal(n), now_us=NOON_US)
    with pytest.raises(TryAgain, match="less often"):
        nonces.spend(a_seal(3), now_us=NOON_US)
    later_us = NOON_US + WINDOW_US + 20 * US_PER_S
    nonces.spend(a_seal(3, later_us), now_us=later_us)


def test_control_without_nonces_a_request_is_good_again() -> None:
    """The negative control: the signature alone does not tell a request that is made twice."""
    for _ in range(2):
        verify(KEY, ASKED, seal_of(signed()), now_us=NOON_US)
