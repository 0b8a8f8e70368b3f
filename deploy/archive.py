"""The camera archive as CSV, and camera values as a user gives them: every wrong value named with its reason, nothing half done."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recorder.address import CAMERA_SCHEMES, parse_url, split_credentials
from segments.errors import BadInput
from segments.keys import CAMERA_ID
from segments.model import Camera, Credential, Sound, Transport

COLUMNS = (
    "id",
    "name",
    "url",
    "class",
    "area",
    "owner",
    "latitude",
    "longitude",
    "tier",
    "tags",
    "sound",
    "transport",
    "trust_clock",
    "twice",
    "enabled",
    "pool",
)
REQUIRED = ("id", "url")
MAX_LINES = 1_000_000
MAX_TEXT = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TRUE, _FALSE = ("1", "true", "yes", "是"), ("0", "false", "no", "否", "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A camera and the credential that was in its URL."""

    camera: Camera
    credential: Credential | None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be taken, and why; line 1 is the header."""

    line: int
    reason: str


def read_archive(text: str, *, now_us: int) -> tuple[list[Entry], list[BadLine]]:
    """All cameras of a CSV text and all lines that are wrong; to be applied only if none is."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    entries: list[Entry] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if problem := _header_problem(reader.fieldnames):
            return [], [BadLine(1, problem)]
        for values in reader:
            if reader.line_num > MAX_LINES:
                return [], [BadLine(reader.line_num, f"more than {MAX_LINES} lines: divide the file")]
            try:
                entry = _entry_of_line(values, now_us=now_us)
                _must_be_new(entry.camera.id, seen)
            except BadInput as error:
                bad.append(BadLine(reader.line_num, str(error)))
                continue
            seen[entry.camera.id] = reader.line_num
            entries.append(entry)
    except csv.Error as error:
        bad.append(BadLine(reader.line_num, f"not CSV: {error}"))
    return entries, bad


def _entry_of_line(values: Mapping[str, str], *, now_us: int) -> Entry:
    if None in values or None in values.values():
        raise BadInput(f"it has {'more' if None in values else 'fewer'} fields than the header")
    return entry_of(values, now_us=now_us)


def _must_be_new(camera: str, seen: Mapping[str, int]) -> None:
    if camera in seen:
        raise BadInput(f"camera {camera} is on line {seen[camera]} already")


def entry_of(values: Mapping[str, str], *, now_us: int) -> Entry:
    """One camera out of named texts; raises BadInput naming the field, the rule and what was given (never a URL)."""
    text = {name: (value or "").strip() for name, value in values.items()}
    for name, value in text.items():
        if name != "url" and len(value) > MAX_TEXT:
            raise BadInput(f"{name}: longer than {MAX_TEXT} characters")
        if _CONTROL.search(value):
            raise BadInput(f"{name}: holds a line break or another control character")
    camera_id = text.get("id", "")
    if CAMERA_ID.fullmatch(camera_id) is None:
        raise BadInput(f"id: {camera_id!r} is not 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit")
    if not text.get("url"):
        raise BadInput("url: is missing")
    url, credential = split_credentials(text["url"])
    parse_url(url, CAMERA_SCHEMES)
    camera = Camera(
        id=camera_id,
        name=text.get("name") or camera_id,
        url=url,
        camera_class=_class(text.get("class", "")),
        area=_area(text.get("area", "")),
        owner=text.get("owner", ""),
        latitude=_degrees("latitude", text.get("latitude", ""), 90),
        longitude=_degrees("longitude", text.get("longitude", ""), 180),
        tier=text.get("tier", ""),
        tags=tuple(tag for part in text.get("tags", "").split(";") if (tag := part.strip())),
        enabled=_flag("enabled", text.get("enabled") or "true"),
        sound=Sound(_choice("sound", text.get("sound") or Sound.AAC, list(Sound))),
        transport=Transport(_choice("transport", text.get("transport") or Transport.AUTO, list(Transport))),
        trust_clock=_flag("trust_clock", text.get("trust_clock", "")),
        twice=_flag("twice", text.get("twice", "")),
        pool=text.get("pool", ""),
        added_us=now_us,
    )
    return Entry(camera, credential)


def _header_problem(header: Sequence[str]) -> str:
    if missing := [name for name in REQUIRED if name not in header]:
        return f"the header lacks {', '.join(missing)}; columns are: {', '.join(COLUMNS)}"
    if unknown := [name for name in header if name not in COLUMNS]:
        return f"unknown columns {', '.join(map(repr, unknown))}; columns are: {', '.join(COLUMNS)}"
    return "the header names a column twice" if len(set(header)) != len(header) else ""


def _class(text: str) -> int:
    if text not in ("", "1", "2", "3"):
        raise BadInput(f"class: {text!r} is not 1, 2 or 3")
    return int(text or 3)


def _area(text: str) -> str:
    parts = [part.strip() for part in text.split("/")] if text else []
    if not all(parts):
        raise BadInput(f"area: {text!r} has an empty part; write it as outer/inner")
    return "/".join(parts)


def _degrees(name: str, text: str, limit: int) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadInput(f"{name}: {text!r} is not a number of degrees") from None
    if not -limit <= value <= limit:
        raise BadInput(f"{name}: {text} does not lie between -{limit} and {limit}")
    return value


def _flag(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise BadInput(f"{name}: {text!r} is neither true nor false")
    return text.lower() in _TRUE


def _choice(name: str, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise BadInput(f"{name}: {text!r} is not one of {', '.join(choices)}")
    return text
