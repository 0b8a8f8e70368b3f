"""Logging in: the RFCs' own examples, the choice among challenges, and no password in any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.sources.digest import Challenge, Login, best_challenge, digest_header
from segments.model import Credential

MUFASA = Credential("Mufasa", "Circle of Life")
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")],
)
def test_the_examples_of_rfc_7616(algorithm, response):
    """RFC 7616 part 3.9.1 gives both responses."""
    challenge = best_challenge(
        [f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, nonce="{NONCE}", opaque="{OPAQUE}"']
    )
    header = digest_header(challenge, MUFASA, ("GET", "/dir/index.html"), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 1)
    assert f'response="{response}"' in header
    assert f"algorithm={algorithm}" in header
    assert "nc=00000001" in header
    assert "qop=auth" in header


def test_the_older_form_without_qop():
    """RFC 2069 part 2.4 (as corrected): most cameras still speak so."""
    challenge = Challenge("MD5", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    header = digest_header(challenge, Credential("Mufasa", "CircleOfLife"), ("GET", "/dir/index.html"), "", 1)
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header
    assert "nc=" not in header
    assert "algorithm" not in header


@pytest.mark.parametrize(
    ("headers", "algorithm"),
    [
        (['Digest realm="r", nonce="n"'], "MD5"),
        (['Digest realm="r", nonce="n", algorithm="MD5"', 'Digest realm="r", nonce="m", algorithm=SHA-256'], "SHA-256"),
        (['Basic realm="r"', 'Digest realm="r", nonce="n"'], "MD5"),
        (['Basic realm="r", Digest realm="r", nonce="n", algorithm=SHA-256, Digest realm="r", nonce="n"'], "SHA-256"),
        (['Basic realm="r"'], "BASIC"),
        (['digest REALM="r",NONCE="n",QOP="auth"'], "MD5"),
        (['Digest realm="r", nonce="n", algorithm=MD5-sess', 'Digest realm="r", nonce="n"'], "MD5"),
    ],
)
def test_the_best_of_the_offered_ways_is_chosen(headers, algorithm):
    """SHA-256 before MD5 before Basic, in one header or several, in any case."""
    assert best_challenge(headers).algorithm == algorithm


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Negotiate"],
        [""],
        ['Digest realm="r", nonce="n", algorithm=SHA-512-256', 'Basic realm="r"'],
        ['Digest realm="r", nonce="n", qop="auth-int"', "Basic realm=r"],
    ],
)
def test_a_password_never_goes_out_plain_to_a_camera_that_knows_digest(headers):
    """Digest of a kind we do not speak, beside Basic: no login at all."""
    assert best_challenge(headers) is None


def test_counting_begins_anew_with_each_nonce():
    """nc counts the requests of one nonce (RFC 7616 part 3.4)."""
    login = Login(MUFASA, cnonce=lambda: "c")
    assert login.header("OPTIONS", "rtsp://h/") == {}
    for nonce in ("one", "two"):
        login.take(Challenge("MD5", "r", nonce, qop_auth=True))
        counts = [login.header("PLAY", "rtsp://h/")["Authorization"].split("nc=")[1] for _ in range(2)]
        assert counts == ["00000001", "00000002"]


def test_basic_is_user_and_password_in_base64():
    """RFC 7617 part 2: its own example."""
    login = Login(Credential("Aladdin", "open sesame"))
    login.take(Challenge("BASIC", "r"))
    assert login.header("DESCRIBE", "rtsp://h/") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


def test_a_hostile_challenge_cannot_add_headers():
    """Control characters and quotes in realm and nonce stay inside their quotes."""
    challenge = best_challenge(['Digest realm="a\r\nX: y", nonce="n\\"b"'])
    header = digest_header(challenge, Credential('u"ser', "p"), ("PLAY", "rtsp://h/"), "c", 1)
    assert "\r" not in header
    assert "\n" not in header
    assert r'username="u\"ser"' in header


@given(st.text(max_size=200))
def test_any_challenge_is_read_or_passed_over(text):
    """Nothing a camera writes there raises."""
    best_challenge([text, "Digest " + text])


def test_the_password_is_in_no_representation():
    """Neither credential nor login shows it."""
    login = Login(Credential("u", "canary-7731"))
    assert "canary-7731" not in repr(login) + repr(Credential("u", "canary-7731"))
