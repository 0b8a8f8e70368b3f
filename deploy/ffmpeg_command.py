"""The command line that makes a film anew with ffmpeg: what is read, what is drawn, and what is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import ffmpeg

from playback.exports.job import Transcoding
from playback.exports.transcoder import Stamp
from segments.clock import US_PER_S, to_datetime

FILM = "film.mp4"
LINE_FILE = "line.txt"
MOST_STAMPS = 500
"""Jumps of wall time in one film that a watermark can follow."""


class Drawn(NamedTuple):
    """What is burnt in: the text of `LINE_FILE`, and the time in a zone."""

    stamps: Sequence[Stamp]
    font: Path
    zone: ZoneInfo


def transcode_command(binary: str, order: Transcoding, drawn: Drawn | None, threads: int) -> list[str]:
    """Reads an MP4 from its standard input and writes `FILM` in its folder, as H.264 (4:2:0) and AAC with the index first; tells its
    progress on standard output. Nothing but pipes and files is opened."""
    source = ffmpeg.input("pipe:0", format="mov", protocol_whitelist="pipe,file", threads=threads)
    picture = source.video
    if order.height:
        picture = picture.filter("scale", "-2", f"min(trunc(ih/2)*2,{order.height // 2 * 2})")
    if drawn is not None:
        picture = _watermarked(picture, drawn)
    if order.height or drawn is not None:
        picture = picture.filter("format", "yuv420p")
    film = ffmpeg.output(picture, source["a?"], FILM, **_encoding(order, threads))
    general = ("-hide_banner", "-nostdin", "-loglevel", "error", "-filter_complex_threads", "1", "-progress", "pipe:1", "-y")
    return list(map(str, film.global_args(*general).compile(cmd=binary)))


def _encoding(order: Transcoding, threads: int) -> Mapping[str, Any]:
    rate = {"b:v": order.bitrate_bps, "maxrate": order.bitrate_bps * 3 // 2, "bufsize": order.bitrate_bps * 2}
    return {
        "vcodec": "libx264",
        "preset": "veryfast",
        "pix_fmt": "yuv420p",
        "acodec": "aac",
        "fps_mode": "passthrough",
        "movflags": "+faststart",
        "map_metadata": -1,
        "map_chapters": -1,
        "threads": threads,
        **(rate if order.bitrate_bps else {"crf": 23}),
    }


def _watermarked(picture: Any, drawn: Drawn) -> Any:
    """The line at the bottom, and above it the running time: one drawing for each stretch without a jump."""
    look = {"fontfile": str(drawn.font), "fontcolor": "white", "box": 1, "boxcolor": "black@0.6", "boxborderw": 4, "x": "w/50"}
    size = "max(12,h/24)"
    picture = picture.filter("drawtext", textfile=LINE_FILE, expansion="none", fontsize=size, y=f"h-{size}*1.6", **look)
    for number, stamp in enumerate(drawn.stamps):
        following = drawn.stamps[number + 1].file_s if number + 1 < len(drawn.stamps) else None
        until = "" if following is None else f"*lt(t,{following:.6f})"
        text, enabled = stamp_text(stamp, drawn.zone), f"gte(t,{stamp.file_s if number else 0:.6f}){until}"
        picture = picture.filter("drawtext", text=text, fontsize=size, y=f"h-{size}*3.2", enable=enabled, **look)
    return picture


def stamp_text(stamp: Stamp, zone: ZoneInfo) -> str:
    """The time as drawtext counts it up by itself: `2026-01-31 16:00:00 UTC+08:00`."""
    offset = to_datetime(stamp.at_us).astimezone(zone).utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    name = f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}" if minutes else "UTC"
    zero_us = stamp.at_us - round(stamp.file_s * US_PER_S) + minutes * 60 * US_PER_S
    return f"%{{pts:gmtime:{zero_us // US_PER_S}.{zero_us % US_PER_S:06d}}} {name}"
