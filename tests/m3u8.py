"""Reads HLS media playlists the way RFC 8216 says, as an oracle for those that are written."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.builders import at


@dataclass(frozen=True)
class Media:
    """One entry of a playlist, with what the tags before it made of it; `clock_us` is the wall time of its start."""

    uri: str
    seconds: float
    offset: int
    length: int
    init: str
    clock_us: int
    discontinuity: bool


@dataclass
class Playlist:
    """A media playlist: its head by tag, and its entries."""

    tags: dict[str, str] = field(default_factory=dict)
    entries: list[Media] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether it will not grow any more."""
        return "EXT-X-ENDLIST" in self.tags


def read_playlist(text: str) -> Playlist:
    """Reads a media or I-frame playlist; fails on tags that ours must not have."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == ""
    playlist = Playlist()
    about: dict[str, str] = {}
    init, clock_us = "", None
    for line in lines[1:-1]:
        tag, _, value = line.removeprefix("#").partition(":")
        assert tag != "EXT-X-GAP"
        if not line.startswith("#"):
            clock_us = at(about["EXT-X-PROGRAM-DATE-TIME"]) if "EXT-X-PROGRAM-DATE-TIME" in about else clock_us
            init = about["EXT-X-MAP"].split('"')[1] if "EXT-X-MAP" in about else init
            length, _, offset = about["EXT-X-BYTERANGE"].partition("@")
            seconds = float(about["EXTINF"].rstrip(","))
            assert clock_us is not None
            playlist.entries.append(Media(line, seconds, int(offset), int(length), init, clock_us, "EXT-X-DISCONTINUITY" in about))
            clock_us += round(seconds * 1_000_000)
            about = {}
        elif tag in ("EXTINF", "EXT-X-BYTERANGE", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DISCONTINUITY"):
            about[tag] = value
        else:
            playlist.tags[tag] = value
    return playlist
