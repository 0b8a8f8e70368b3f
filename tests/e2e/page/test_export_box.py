"""Taking footage along: downloaded as it was recorded, made anew by a job, and offered where this browser cannot play it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from playback.exports.queue import ExportQueue, Exports
from segments.stores.memory_objects import MemoryObjects
from tests.api import Api
from tests.e2e.page.conftest import Opener
from tests.e2e.page.driver import Driven
from tests.servers.page import PageServer, built_console
from tests.servers.processes import require_program

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def desk(api: Api) -> Iterator[PageServer]:
    """The footage of all tests, and export jobs that nobody works off."""
    exports = Exports(ExportQueue(api.index, api.clock), MemoryObjects())
    with PageServer(api.services(console=built_console(), exports=exports)) as server:
        yield server


def opened(tab: Opener, desk: PageServer, camera: str, at_s: float) -> Driven:
    """A tab with the box open on a moment."""
    driven = tab(desk)
    driven.paused_at(camera, at_s)
    driven.page.locator("#exports").click()
    expect(driven.page.locator("#export-box")).to_be_visible()
    return driven


def test_footage_is_downloaded_as_it_was_recorded(tab: Opener, desk: PageServer, tmp_path: Path) -> None:
    """From four to fourteen seconds after noon: an mp4 of the recorded pictures, which ffprobe reads."""
    driven = opened(tab, desk, "gate", 5)
    driven.page.locator("#export-from").fill("2026-03-14T12:00:04")
    driven.page.locator("#export-to").fill("2026-03-14T12:00:14")
    with driven.page.expect_download() as begun:
        driven.page.locator("#export-as-is").click()
    film = tmp_path / "film.mp4"
    begun.value.save_as(film)
    assert begun.value.suggested_filename.endswith(".mp4")
    command = [require_program("ffprobe", "ffmpeg"), "-v", "error", "-show_format", "-show_streams", "-of", "json", str(film)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    found = json.loads(done.stdout)
    assert [stream["codec_name"] for stream in found["streams"] if stream["codec_type"] == "video"] == ["h264"]
    assert float(found["format"]["duration"]) == pytest.approx(10, abs=2)


def test_a_job_is_asked_for_listed_and_cancelled(tab: Opener, desk: PageServer) -> None:
    """Half a minute around the moment on the screen; it waits, as nobody works here, and can be cancelled."""
    driven = opened(tab, desk, "gate", 30)
    driven.page.locator("#export-mark").check()
    driven.page.locator("#export-make").click()
    line = driven.page.locator("#export-box li[data-state=queued]")
    expect(line).to_contain_text("gate")
    expect(line).to_contain_text("waits")
    line.get_by_role("button", name="Cancel").click()
    expect(driven.page.locator("#export-box li[data-state=cancelled]")).to_contain_text("cancelled")


def test_what_this_browser_cannot_decode_is_offered_as_h264(tab: Opener, desk: PageServer) -> None:
    """Beside the sentence stands a way out: the box opens with H.264 chosen, and the job that is asked for says so."""
    driven = tab(desk)
    driven.open("roof", 2)
    driven.page.locator("#message").get_by_role("button", name="Export it as H.264").click()
    expect(driven.page.locator("#export-h264")).to_be_checked()
    with driven.page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/exports")) as asked:
        driven.page.locator("#export-make").click()
    assert asked.value.post_data_json["transcode"] == {"watermark": False}
    expect(driven.page.locator("#export-box li[data-state=queued]")).to_contain_text("roof")


def test_what_plays_is_not_offered_anew(tab: Opener, desk: PageServer) -> None:
    """The offer is for what cannot be decoded; bytes that are lost have none."""
    driven = tab(desk)
    driven.page.route("**/segments/**", lambda route: route.fulfill(status=404, json={"title": "Footage is gone"}))
    driven.open("gate", 5)
    expect(driven.page.locator("#message")).to_contain_text("Footage is gone")
    expect(driven.page.locator("#export-instead")).to_have_count(0)
