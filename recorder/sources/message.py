"""RTSP messages (RFC 2326): requests laid out, responses and the camera's own requests read, as real cameras write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from recorder.sources.limits import Limits
from segments.errors import DataDamaged

HEADERS = 64
"""The most header lines a message may have."""

_RESPONSE = re.compile(r"RTSP/1\.[0-9] +(?P<status>\d{3})\b")
_REQUEST = re.compile(r"(?P<method>[A-Z_]{3,20}) +(?P<uri>\S{1,2048}) +RTSP/1\.[0-9]$")
_START = re.compile(rb"(?:RTSP/1\.[0-9] +\d{3}\b[^\r\n]*|[A-Z_]{3,20} +\S{1,2048} +RTSP/1\.[0-9])\r?\n")
_MAYBE_START = re.compile(rb"(?:[A-Z_]{1,20}(?: [!-~]*(?: [A-Z/0-9.]*)?)?|RTSP/[ -~]*)\r?")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class Message(NamedTuple):
    """A response (`status` > 0) or a request (`status` 0, `method` set). Header names are lower case; repeated ones keep all values."""

    status: int
    method: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header, '' if there is none."""
        return self.headers.get(name, ("",))[0]

    @property
    def cseq(self) -> int | None:
        """The number that ties an answer to its request; None if it is missing or no number."""
        text = self.header("cseq")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def starts_message(data: bytes) -> bool | None:
    """Whether a message begins here; None if more bytes must come to tell."""
    if _START.match(data):
        return True
    return None if b"\n" not in data and len(data) < 4096 and _MAYBE_START.fullmatch(data) else False


def read_message(data: bytes, limits: Limits) -> tuple[Message, int] | None:
    """The message at the start of `data` and its length; None if it is not whole yet.

    Raises DataDamaged where a limit is broken or the body's length cannot be read.
    """
    end = _HEAD_END.search(data, 0, limits.head_bytes)
    if end is None:
        if len(data) >= limits.head_bytes:
            raise DataDamaged(f"the camera sent an answer with a head of more than {limits.head_bytes} bytes")
        return None
    first, *lines = data[: end.start()].decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    headers = _headers(lines)
    length = (headers.get("content-length", ("0",))[0]) or "0"
    if not (length.isascii() and length.isdecimal()) or len(length) > 9 or int(length) > limits.body_bytes:
        raise DataDamaged(f"the camera announced an answer whose length is not a number up to {limits.body_bytes}")
    stop = end.end() + int(length)
    if len(data) < stop:
        return None
    response, request = _RESPONSE.match(first), _REQUEST.match(first)
    status = int(response["status"]) if response else 0
    return Message(status, request["method"] if request else "", headers, data[end.end() : stop]), stop


def _headers(lines: list[str]) -> dict[str, tuple[str, ...]]:
    if len(lines) > HEADERS:
        raise DataDamaged(f"the camera sent an answer with more than {HEADERS} header lines")
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def request_bytes(method: str, uri: str, headers: Mapping[str, str]) -> bytes:
    """A request without a body, ready to be sent."""
    lines = [f"{method} {uri} RTSP/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def session_of(header: str) -> tuple[str, float]:
    """The id ('' where there is none) and the timeout in seconds (60 if none is named, RFC 2326 part 12.37) of a Session header.

    Raises DataDamaged if the id could not stand in a header.
    """
    session, *parameters = (part.strip() for part in header.split(";"))
    if not re.fullmatch(r"[!-~]{0,256}", session):
        raise DataDamaged("the camera gave a session id that cannot be used")
    for parameter in parameters:
        found = re.fullmatch(r"timeout\s*=\s*(\d{1,6})", parameter, re.IGNORECASE)
        if found and int(found[1]) > 0:
            return session, float(found[1])
    return session, 60.0


def interleaved_channels(header: str) -> tuple[int, int] | None:
    """The channels (RTP, RTCP) of a Transport answer, None if it names none; raises DataDamaged if they are not channel numbers."""
    found = re.search(r"interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?", header, re.IGNORECASE)
    if found is None:
        return None
    first = int(found[1])
    second = int(found[2]) if found[2] else first + 1
    if first > 255 or second > 255 or first == second:
        raise DataDamaged("the camera gave channel numbers that cannot be used")
    return first, second


def rtp_times(header: str) -> list[tuple[str, int | None]]:
    """The (url, rtptime) pairs of an RTP-Info header (RFC 2326 part 12.33), in its order."""
    pairs = []
    for part in re.split(r",\s*(?=url\s*=)", header[:8192], flags=re.IGNORECASE):
        url = re.search(r"url\s*=\s*\"?([^;\s\"]+)", part, re.IGNORECASE)
        time = re.search(r"rtptime\s*=\s*(\d{1,10})\b", part, re.IGNORECASE)
        if url:
            pairs.append((url[1], int(time[1]) & 0xFFFFFFFF if time else None))
    return pairs
