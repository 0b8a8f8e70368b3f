"""The command that makes films anew: what it opens, what it draws, and that nothing a user wrote gets into it."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deploy.ffmpeg_command import Drawn, stamp_text, transcode_command
from playback.exports.job import Form, Item, Transcoding
from playback.exports.names import film_name, result_name
from playback.exports.transcoder import Stamp, stamps_of
from segments.clock import US_PER_S
from tests.builders import NOON_US
from tests.unit.test_export_job import JOB

FONT = Path("fonts/o'clock: a.ttf")


def drawn(*stamps: Stamp) -> Drawn:
    """With these times, in China."""
    return Drawn(stamps, FONT, ZoneInfo("Asia/Shanghai"))


def test_it_opens_pipes_and_files_alone() -> None:
    """No network protocol is allowed to it, it asks nobody, and it writes one file in its own folder."""
    command = transcode_command("ffmpeg", Transcoding(), None, 2)
    assert command[command.index("-protocol_whitelist") + 1] == "pipe,file"
    assert command[command.index("-i") + 1] == "pipe:0"
    assert {"-nostdin", "film.mp4"} <= set(command)
    assert [command[place + 1] for place, word in enumerate(command) if word == "-threads"] == ["2", "2"]


def test_size_and_rate_are_asked_for() -> None:
    """At most so high, and about so many bits; without a rate, by quality."""
    command = " ".join(transcode_command("ffmpeg", Transcoding(height=361, bitrate_bps=500_000), None, 1))
    assert "scale=-2:min(trunc(ih/2)*2\\,360)" in command
    assert "-b:v 500000" in command
    assert "-crf" not in command
    assert "-crf 23" in " ".join(transcode_command("ffmpeg", Transcoding(), None, 1))


def test_the_text_of_a_watermark_is_never_in_the_command() -> None:
    """It lies in a file that is drawn letter by letter, so nothing in it is an instruction."""
    command = " ".join(transcode_command("ffmpeg", Transcoding(watermark=True), drawn(Stamp(0.0, NOON_US)), 1))
    assert "textfile=line.txt" in command
    assert "expansion=none" in command


def test_the_time_is_that_of_the_zone() -> None:
    """Counted up from the film's beginning, with the offset of the zone at that moment and its name."""
    at_s = NOON_US // US_PER_S - 10
    assert stamp_text(Stamp(10.0, NOON_US), ZoneInfo("UTC")) == f"%{{pts:gmtime:{at_s}.000000}} UTC"
    assert stamp_text(Stamp(10.0, NOON_US), ZoneInfo("Asia/Shanghai")) == f"%{{pts:gmtime:{at_s + 8 * 3600}.000000}} UTC+08:00"
    assert stamp_text(Stamp(10.0, NOON_US), ZoneInfo("America/St_Johns")).endswith(("UTC-03:30", "UTC-02:30"))


def test_each_stretch_without_a_jump_has_its_own_time() -> None:
    """Anchors that go on are one stamp; one that jumps begins another, drawn from its second on."""
    at = lambda file_s, wall_s: {"file_s": file_s, "at_us": NOON_US + round(wall_s * US_PER_S)}  # noqa: E731
    stamps = stamps_of({"runs": [{"segments": [at(0, 0), at(3, 3.05)]}, {"segments": [at(6, 100), at(9, 103)]}]})
    assert [stamp.file_s for stamp in stamps] == [0, 6]
    command = " ".join(transcode_command("ffmpeg", Transcoding(watermark=True), drawn(*stamps), 1))
    assert "enable=gte(t\\,0.000000)*lt(t\\,6.000000)" in command
    assert "enable=gte(t\\,6.000000):" in command


@pytest.mark.parametrize("camera", ["../../etc/passwd", 'a"; rm -rf /', "a/b", "a\r\nSet-Cookie: x", "-rf", ".hidden", "摄像机"])
def test_names_of_files_are_plain(camera: str) -> None:
    """Whatever a camera were called, its file's name has no path, no quote and no line."""
    for name in (film_name(camera, NOON_US), result_name(JOB), result_name(JOB.__class__(**{**_fields(), "form": Form.MP4}))):
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
        assert not name.startswith(".")


def _fields() -> dict:
    return {name: getattr(JOB, name) for name in JOB.__dataclass_fields__} | {"items": (Item("a/../b", NOON_US, NOON_US + 1),)}
