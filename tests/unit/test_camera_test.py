"""What `keepsight camera test` says of a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.camera_test import CameraReport, try_camera
from deploy.settings import load_settings
from segments.media import TIMESCALE, AccessUnit
from segments.model import Cause
from tests.builders import a_camera
from tests.fakes import synthetic_units
from tests.samples import SOUND, VIDEO
from tests.servers.processes import free_port
from tests.servers.rtsp import RtspServer


def seen(units, tracks=(VIDEO,), notes=()) -> CameraReport:
    report = CameraReport()
    report.opened(tracks, notes)
    for unit in units:
        report.unit(unit, 0)
    return report


def test_rate_gop_and_size_are_told() -> None:
    """Counted from the stream, not from what the camera says of itself."""
    values = seen(synthetic_units(6, fps=10)).as_json()

    assert (values["fine"], values["width"], values["height"]) == (True, 1920, 1080)
    assert (values["frames_per_s"], values["gop_s"]) == (10, 1.0)
    assert values["codecs"] == "avc1.640028"


def test_sound_is_no_picture() -> None:
    """Its units count as bytes only."""
    units = [*synthetic_units(2), *(AccessUnit(1, n * 1920, None, key=True, data=b"s" * 100) for n in range(50))]
    report = seen(units, tracks=(VIDEO, SOUND))

    assert report.pictures == 10
    assert report.size_bytes > 5_000


def test_no_key_frame_is_not_fine() -> None:
    """It could not be recorded, and the sentence says what to try."""
    report = seen(unit._replace(key=False) for unit in synthetic_units(4))

    assert not report.fine
    assert "no key frame" in report.sentence()


def test_nothing_at_all() -> None:
    """No track, no picture: all values are there, none is made up."""
    values = CameraReport().as_json()

    assert (values["fine"], values["codecs"], values["width"], values["frames_per_s"], values["gop_s"]) == (False, "", None, 0.0, None)


def test_one_picture_has_no_rate() -> None:
    """Nothing is divided by nothing."""
    report = seen(synthetic_units(0.2))

    assert report.fine
    assert report.as_json()["frames_per_s"] == 0.0
    assert "one key frame seen" in report.sentence()


def test_the_clock_and_notes_are_told() -> None:
    """Whether it sends sender reports decides what `trust_clock` is worth."""
    report = seen(synthetic_units(2), notes=["sound left out"])
    report.clock(10 * TIMESCALE, 0)

    assert report.as_json()["sends_clock"] is True
    assert "sound left out" in report.sentence()


def settings_with(folder: Path, loopback: bool):
    (folder / "keepsight.toml").write_text(f"[cameras]\nallow_loopback = {str(loopback).lower()}\n[recording]\nsilence_s = 3\n")
    return load_settings(folder / "keepsight.toml", {})


@pytest.mark.server
async def test_a_real_camera_is_seen_as_it_is(rtsp_server: RtspServer, tmp_path: Path) -> None:
    """H.264 at 25 pictures a second with a key frame each second."""
    report = await try_camera(a_camera(url=rtsp_server.url("h264/tried")), None, settings_with(tmp_path, loopback=True), 3)

    values = report.as_json()
    assert report.fine
    assert (values["width"], values["height"], values["gop_s"]) == (640, 360, 1.0)
    assert values["frames_per_s"] == pytest.approx(25, abs=1)


async def test_a_camera_outside_its_networks_is_refused(tmp_path: Path) -> None:
    """Loopback is no camera network unless it is allowed."""
    report = await try_camera(a_camera(url="rtsp://127.0.0.1:9/x"), None, settings_with(tmp_path, loopback=False), 3)

    assert not report.fine
    assert report.cause is not None
    assert report.detail in report.sentence()


async def test_a_camera_that_is_away_says_so(tmp_path: Path) -> None:
    """With the cause a recorder would give."""
    report = await try_camera(a_camera(url=f"rtsp://127.0.0.1:{free_port()}/x"), None, settings_with(tmp_path, loopback=True), 3)

    assert report.cause is Cause.CAMERA_AWAY
