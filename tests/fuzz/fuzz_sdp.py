"""Coverage-guided fuzzing of all texts a camera sends: `python -m tests.fuzz.fuzz_sdp [-max_total_time=60]`.

Descriptions, answers and challenges end in values or in DataDamaged, and only codecs of the allow-list are ever chosen.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["recorder", "segments"]):
    from recorder.address import parse_url, redact, split_credentials
    from recorder.sources.digest import Login, best_challenge
    from recorder.sources.limits import DEFAULT_LIMITS
    from recorder.sources.message import interleaved_channels, read_message, request_bytes, rtp_times, session_of
    from recorder.sources.offer import choose
    from recorder.sources.sdp import control_url, parse_sdp
    from segments.errors import KeepsightError
    from segments.model import Credential

CHOSEN = {"H264", "H265", "MPEG4-GENERIC"}


def describe(data: bytes) -> None:
    """A description, chosen from and its controls resolved."""
    choice = choose(parse_sdp(data), None)
    for media in choice.media if choice else ():
        if media.encoding not in CHOSEN:
            raise AssertionError(f"{media.encoding} was chosen")
        url = control_url("rtsp://h/", media.control)
        if request_bytes("SETUP", url, {}).count(b"\r\n") != 2:
            raise AssertionError("a control address broke the request")


def log_in(data: bytes) -> None:
    """A challenge, and the header that answers it."""
    challenge = best_challenge([data.decode("utf-8", "surrogateescape")])
    if challenge:
        login = Login(Credential("user", "password"))
        login.take(challenge)
        if request_bytes("PLAY", "rtsp://h/", login.header("PLAY", "rtsp://h/")).count(b"\n") != 3:
            raise AssertionError("a challenge broke the request")


def take_address(data: bytes) -> None:
    """A URL of a camera."""
    text = data.decode("utf-8", "replace")
    redact(text)
    parse_url(split_credentials(text)[0])


READERS = (
    describe,
    log_in,
    take_address,
    lambda data: read_message(b"RTSP/1.0 200 OK\r\n" + data, DEFAULT_LIMITS),
    lambda data: session_of(data.decode("latin-1")),
    lambda data: interleaved_channels(data.decode("latin-1")),
    lambda data: rtp_times(data.decode("latin-1")),
)


def read_text(data: bytes) -> None:
    """One input, to the reader that its first byte chooses."""
    if data:
        with contextlib.suppress(KeepsightError):
            READERS[data[0] % len(READERS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_text)
    atheris.Fuzz()
