"""Reads HLS media playlists as a player does (RFC 8216), to see from outside what the service offers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from segments.clock import US_PER_S, from_datetime
from segments.errors import DataDamaged


class Entry(NamedTuple):
    """One entry: `length` bytes at `offset` of `uri`, to be played behind the bytes of `init_uri`; `start_us` is its wall time."""

    uri: str
    init_uri: str
    offset: int
    length: int
    seconds: float
    start_us: int

    @property
    def end_us(self) -> int:
        """The wall time of its end."""
        return self.start_us + round(self.seconds * US_PER_S)


def read_media_playlist(text: str) -> list[Entry]:
    """The entries of a media playlist, each with its wall time (RFC 8216, 4.3.2); raises DataDamaged if one lacks what it needs."""
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U":
        raise DataDamaged("the playlist does not begin with #EXTM3U")
    entries: list[Entry] = []
    tags: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith("#"):
            name, _, value = line.partition(":")
            tags[name] = value
        elif line:
            entries.append(_entry(line, tags, entries[-1].end_us if entries else None))
            tags = {name: value for name, value in tags.items() if name == "#EXT-X-MAP"}
    return entries


def _entry(uri: str, tags: dict[str, str], follows_us: int | None) -> Entry:
    try:
        length, _, offset = tags["#EXT-X-BYTERANGE"].partition("@")
        seconds = float(tags["#EXTINF"].split(",")[0])
        init_uri = tags["#EXT-X-MAP"].split('URI="')[1].split('"')[0]
        date = tags.get("#EXT-X-PROGRAM-DATE-TIME")
        start_us = from_datetime(datetime.fromisoformat(date)) if date else follows_us
        if start_us is None:
            raise DataDamaged(f"the playlist says no time of {uri}")
        return Entry(uri, init_uri, int(offset), int(length), seconds, start_us)
    except (KeyError, IndexError, ValueError):
        raise DataDamaged(f"the playlist says no length, range, map or time of {uri}") from None
