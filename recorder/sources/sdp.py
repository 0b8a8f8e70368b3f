"""Session descriptions (SDP, RFC 8866): read by us, with an allow-list of codecs, before anything is set up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from segments.errors import DataDamaged

SDP_BYTES = 65_536
LINES = 2_000
MEDIA_SECTIONS = 16

_MEDIA = re.compile(r"(?P<kind>[a-z]+) +\d{1,5}(?:/\d+)? +(?P<profile>\S+) +(?P<format>\d{1,3})\b")
_RTPMAP = re.compile(r"(?P<format>\d{1,3}) +(?P<encoding>[^/\s]{1,40})/(?P<rate>\d{1,7})(?:/(?P<channels>\d{1,2}))?")
_FMTP = re.compile(r"(?P<format>\d{1,3}) +(?P<parameters>.*)")
_STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000)}  # RFC 3551, table 4


@dataclass(frozen=True, slots=True)
class Media:
    """One m= section, seen through its first payload format. `encoding` is upper case; `control` is as written, empty if there is none."""

    kind: str
    profile: str
    payload_type: int
    encoding: str
    clock_rate: int
    channels: int
    control: str = ""
    format_parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What a camera offers; `control` is that of the whole session."""

    control: str
    media: tuple[Media, ...]


def parse_sdp(body: bytes) -> SessionDescription:
    """Reads a description; lines it does not need are passed over. Raises DataDamaged where a limit or the grammar of m= is broken."""
    if len(body) > SDP_BYTES:
        raise DataDamaged(f"the camera's description is longer than {SDP_BYTES} bytes")
    lines = body.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    if len(lines) > 2 * LINES:
        raise DataDamaged(f"the camera's description has more than {LINES} lines")
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line.strip())
    if len(sections) - 1 > MEDIA_SECTIONS:
        raise DataDamaged(f"the camera's description has more than {MEDIA_SECTIONS} media sections")
    media = tuple(_media(section) for section in sections[1:])
    return SessionDescription(_attribute(sections[0], "control"), media)


def _media(lines: list[str]) -> Media:
    found = _MEDIA.match(lines[0][2:])
    if found is None:
        raise DataDamaged("the camera's description has a media line that cannot be read")
    payload_type = int(found["format"])
    encoding, rate, channels = _encoding(lines, payload_type)
    return Media(
        kind=found["kind"],
        profile=found["profile"].upper(),
        payload_type=payload_type,
        encoding=encoding,
        clock_rate=rate,
        channels=channels,
        control=_attribute(lines, "control"),
        format_parameters=_format_parameters(lines, payload_type),
    )


def _encoding(lines: list[str], payload_type: int) -> tuple[str, int, int]:
    for text in _attributes(lines, "rtpmap"):
        found = _RTPMAP.match(text)
        if found and int(found["format"]) == payload_type:
            return found["encoding"].upper(), int(found["rate"]), int(found["channels"] or 1)
    return *_STATIC.get(payload_type, ("", 0)), 1


def _format_parameters(lines: list[str], payload_type: int) -> dict[str, str]:
    for text in _attributes(lines, "fmtp"):
        found = _FMTP.match(text)
        if found and int(found["format"]) == payload_type:
            pairs = (part.strip().partition("=") for part in found["parameters"].split(";"))
            return {name.strip().lower(): value.strip() for name, _, value in pairs if name}
    return {}


def _attributes(lines: list[str], name: str) -> list[str]:
    start = f"a={name}:"
    return [line[len(start) :].strip() for line in lines if line.lower().startswith(start)]


def _attribute(lines: list[str], name: str) -> str:
    return next(iter(_attributes(lines, name)), "")


def control_url(base: str, control: str) -> str:
    """The URL a control attribute means (RFC 2326 part C.1.1), as cameras mean it: appended to the base as it is, its query included.

    Raises DataDamaged if it could not stand in a request line.
    """
    if re.search(r"[^!-~]", control) or len(control) > 1024:
        raise DataDamaged("the camera's description has a control address that cannot be used")
    if control in ("", "*"):
        return base
    if re.match(r"[A-Za-z]+://", control):
        return control
    if control.startswith("?"):
        return base + control
    return f"{base.rstrip('/')}/{control.lstrip('/')}"
