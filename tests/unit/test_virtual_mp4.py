"""Virtual mp4s as other readers see them: every stored sample, in order, at the right time, in a file nobody wrote."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from segments.media import TIMESCALE
from tests.media import Clips, access_units
from tests.pool import Pool, first_pts, lay_out, read, record_run, shown
from tests.samples import MEDIA_START, samples_of, with_signed_offsets

CLIPS = [{"audio": "aac"}, {"b_frames": 2, "audio": "aac"}, {"codec": "h265", "b_frames": 2}, {"codec": "h265", "audio": "aac"}]


@pytest.mark.parametrize("signed", [False, True], ids=["offsets from libav", "signed offsets"])
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: "-".join(map(str, clip.values())))
@pytest.mark.parametrize("start", [MEDIA_START, 30 * 86_400 * TIMESCALE], ids=["10 s", "30 days"])
def test_a_run_of_several_segments_plays_as_one(clips: Clips, clip: dict[str, object], start: int, *, signed: bool) -> None:
    """libav finds every sample of three segments in one file, at its distance from the first, sound and picture together."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, **clip))
    samples = samples_of(tracks, units, start)
    samples = with_signed_offsets(samples) if signed else samples
    pool = Pool()
    record_run(pool, tracks, samples)
    (file,) = lay_out(pool.footage)
    data = pool.bytes_of(file)
    assert len(file.ranges) == 3
    assert file.size == len(data)
    assert read(data) == shown(samples, first_pts(samples))


def test_a_shifted_chunk_is_noticed(clips: Clips) -> None:
    """Control: with one place in co64 off by a byte, the comparison above fails."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, audio="aac"))
    samples = samples_of(tracks, units)
    pool = Pool()
    record_run(pool, tracks, samples)
    (file,) = lay_out(pool.footage)
    data = bytearray(pool.bytes_of(file))
    data[data.index(b"co64") + 12 + 7] ^= 1
    assert read(bytes(data)) != shown(samples, first_pts(samples))


@pytest.mark.server
@pytest.mark.parametrize("clip", [{"audio": "aac"}, {"codec": "h265", "b_frames": 2, "audio": "aac"}], ids=["h264", "h265"])
def test_ffmpeg_plays_and_seeks_without_complaint(clips: Clips, tmp_path: Path, clip: dict[str, object]) -> None:
    """ffprobe sees the length, ffmpeg decodes all pictures and, sought to a time, the right one, with nothing to report."""
    tracks, units = access_units(clips.get(seconds=5, width=320, height=180, **clip))
    pool = Pool()
    record_run(pool, tracks, samples_of(tracks, units))
    (file,) = lay_out(pool.footage)
    path = tmp_path / "export.mp4"
    path.write_bytes(pool.bytes_of(file))
    probe = [
        "ffprobe",
        "-v",
        "warning",
        "-count_frames",
        "-show_entries",
        "stream=nb_frames,nb_read_frames,duration",
        "-of",
        "json",
        str(path),
    ]
    done = subprocess.run(probe, capture_output=True, text=True, check=True)
    video = json.loads(done.stdout)["streams"][0]
    assert (video["nb_frames"], video["nb_read_frames"], float(video["duration"])) == ("125", "125", 5.0)
    sought = ["ffmpeg", "-v", "warning", "-ss", "3.2", "-i", str(path), "-map", "0:v", "-frames:v", "1", "-f", "framemd5", "-"]
    straight = ["ffmpeg", "-v", "warning", "-i", str(path), "-map", "0:v", "-vf", "trim=start_frame=80:end_frame=81", "-f", "framemd5", "-"]
    hashes = [subprocess.run(command, capture_output=True, text=True, check=True) for command in (sought, straight)]
    assert len({each.stdout.split()[-1] for each in hashes}) == 1
    assert [done.stderr, *(each.stderr for each in hashes)] == ["", "", ""]
