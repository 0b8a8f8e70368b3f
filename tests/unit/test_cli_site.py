"""`keepsight site` and `keepsight drill` by command, on a real index."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import cli_drill
from deploy.settings import load_settings
from deploy.sites_duty import RememberedChanges
from deploy.wiring import open_index
from replication.guests import Guests
from replication.site_record import SiteSeen, write_site
from segments.clock import US_PER_S, SystemClock
from segments.ports import Index
from segments.takeover import Taken, Takeover, read_takeover, told_home, write_taken, write_takeover
from tests.builders import a_camera, a_row
from tests.command_line import Keepsight
from tests.fakes import SteppedClock
from tests.peer_site import PeerSite
from tests.retention_builders import write_policy

WHY = ("--reason", "the harbour burns", "--by", "Lin")


def indexed(keepsight: Keepsight, work: Callable[[Index], Awaitable[object]]) -> object:
    """Does work on the index."""

    async def whole() -> object:
        async with open_index(load_settings(keepsight.config, {})) as index:
            return await work(index)

    return asyncio.run(whole())


def takeover_of(keepsight: Keepsight) -> Takeover | None:
    """The last takeover of the harbour."""
    return indexed(keepsight, lambda index: read_takeover(index, "harbour"))  # type: ignore[return-value]


def heard(keepsight: Keepsight, ago_s: float) -> None:
    """The harbour was heard so long ago."""
    now_us = SystemClock().now_us()
    seen = SiteSeen("harbour", heard_us=now_us - round(ago_s * US_PER_S), epoch=40, camera_key="theirs", guests=10)
    indexed(keepsight, lambda index: write_site(index, seen))


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    """A site that knows ten cameras of the harbour beside one of its own."""
    made = Keepsight(tmp_path)
    key = tmp_path / "harbour.key"
    key.write_text("k" * 40)
    key.chmod(0o600)
    made.configure(f'[sites.harbour]\nurl = "https://127.0.0.1:9"\nkey_file = "{key}"\n')

    async def cameras(index: Index) -> None:
        await index.add_camera(a_camera("gate", tier=""))
        for number in range(10):
            await index.add_camera(a_camera(f"quay-{number}", tier="", home="harbour", enabled=number > 0))

    indexed(made, cameras)
    return made


def test_a_site_is_taken_over_and_given_back(keepsight: Keepsight) -> None:
    """The plan is shown and confirmed; the record says who and why; what is listed follows."""
    heard(keepsight, 90)
    refused = keepsight("site", "take-over", "harbour", *WHY, text="n\n", code=2)
    assert "10 cameras would be recorded here, 1 of them are switched off" in refused.stderr
    assert "another key" in refused.stderr
    assert takeover_of(keepsight) is None
    keepsight("site", "take-over", "harbour", *WHY, text="y\n")
    takeover = takeover_of(keepsight)
    assert takeover is not None
    assert (takeover.by, takeover.reason, takeover.cameras, told_home(takeover)) == ("Lin", "the harbour burns", (), ())
    assert keepsight.json("site", "show", "harbour")["takeover"]["by"] == "Lin"
    assert "already, by Lin" in keepsight.refused("site", "take-over", "harbour", *WHY, "--yes", code=2)
    assert "does not answer" in keepsight.refused("site", "give-back", "harbour", "--yes", "--now", code=2)
    heard(keepsight, 1)
    keepsight("site", "give-back", "harbour", "--by", "Wu", "--yes", "--now")
    given = takeover_of(keepsight)
    assert given is not None
    assert (given.given_back_by, told_home(given)) == ("Wu", None)


def test_a_give_back_waits_until_the_site_has_all(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given back at once; a site that cannot be asked meanwhile is a finding, said before and after. Given again it only waits."""
    monkeypatch.setattr("deploy.demo.LEAST_S", 1)
    keepsight("site", "take-over", "harbour", *WHY, "--yes")
    row = a_row(camera="quay-1", run="home-a-50-1", start_us=SystemClock().now_us())
    indexed(keepsight, lambda index: index.publish_many([row]))
    heard(keepsight, 1)
    said = keepsight("site", "give-back", "harbour", "--yes", "--within", "1s", code=1)
    assert "cannot be told" in said.stderr
    assert "has its cameras back" in said.stdout
    assert "cannot be told" in said.stdout
    ended = takeover_of(keepsight)
    assert ended is not None
    indexed(keepsight, lambda index: write_takeover(index, replace(ended, ended_us=ended.given_back_us + 1), before=ended))
    again = keepsight("site", "give-back", "harbour", "--within", "1s", code=1)
    assert "has its cameras back" not in again.stdout
    assert "no camera of site 'harbour' is recorded here" in keepsight.refused("site", "give-back", "harbour", "--now", code=2)
    assert "--within '1 hour' is no duration" in keepsight.refused("site", "give-back", "harbour", "--within", "1 hour", code=2)


def test_a_share_or_some_cameras_are_taken_over(keepsight: Keepsight) -> None:
    """Named ones, or a part of all; not both."""
    heard(keepsight, 90)
    assert "give one of them" in keepsight.refused(
        "site", "take-over", "harbour", *WHY, "--share", "0.5", "--camera", "quay-1", "--yes", code=2
    )
    assert "no camera of site harbour" in keepsight.refused("site", "take-over", "harbour", *WHY, "--camera", "gate", "--yes", code=2)
    keepsight("site", "take-over", "harbour", *WHY, "--share", "0.3", "--yes")
    takeover = takeover_of(keepsight)
    assert takeover is not None
    assert len(takeover.cameras) == 3


def test_unknown_sites_and_empty_reasons_are_refused(keepsight: Keepsight) -> None:
    """With a sentence that says what there is."""
    assert "there are harbour" in keepsight.refused("site", "show", "island", code=2)
    assert "there are harbour" in keepsight.refused("drill", "island", "--report", str(keepsight.folder / "reports"), "--yes", code=2)
    assert not (keepsight.folder / "reports").exists()
    assert "--reason is empty" in keepsight.refused("site", "take-over", "harbour", "--reason", " ", "--yes", code=2)
    assert "no camera of site 'harbour' is recorded here" in keepsight.refused("site", "give-back", "harbour", code=2)


def test_sites_are_listed_with_what_is_wrong(keepsight: Keepsight) -> None:
    """A site that was never heard is a finding; so is one that records ours, said in its line."""
    assert keepsight.json("site", "list", code=1)[0]["heard_us"] == 0
    heard(keepsight, 1)
    (found,) = keepsight.json("site", "list")
    assert (found["site"], found["epoch"], found["guests"], found["takeover"]) == ("harbour", 40, 10, None)
    indexed(keepsight, lambda index: write_taken(index, Taken("harbour", ("gate",), 1), before=None))
    assert keepsight.json("site", "list")[0]["taken"]["cameras"] == ["gate"]
    assert "1 cameras" in keepsight("site", "list").stdout
    seen = SiteSeen("harbour", heard_us=SystemClock().now_us(), conflicts=("gate",))
    indexed(keepsight, lambda index: write_site(index, seen))
    said = " ".join(keepsight("site", "list", code=1).stdout.split())
    assert all(word in said for word in ("not", "copied:", "gate"))


def test_a_camera_of_another_site_is_changed_there(keepsight: Keepsight) -> None:
    """Here it would be undone; the list of cameras says whose it is."""
    for words in (("set", "quay-1", "name=x"), ("remove", "quay-1")):
        assert "one of site harbour: change it there" in keepsight.refused("camera", *words, code=2)
    assert {camera["home"] for camera in keepsight.json("camera", "list")} == {"", "harbour"}


def test_a_drill_without_footage_is_a_finding_and_is_undone(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing records here: each camera is named in both reports, the takeover has ended, and it was never told."""
    heard(keepsight, 1)
    monkeypatch.setattr(cli_drill, "UPLOADED_S", 0)
    monkeypatch.setattr("deploy.demo.LEAST_S", 1)
    folder = keepsight.folder / "reports"
    said = keepsight("drill", "harbour", "--share", "0.2", "--for", "1s", "--report", str(folder), "--yes", code=1).stderr
    assert "another key of the camera passwords" in said
    assert "stops recording" not in said
    (written,) = folder.glob("*.json")
    report = json.loads(written.read_text())
    assert (report["failed"], len(report["cameras"]), report["rto_s"]["max"]) == (2, 2, None)
    assert written.with_suffix(".html").read_text().startswith("<!DOCTYPE html>")
    takeover = takeover_of(keepsight)
    assert takeover is not None
    assert (bool(takeover.ended_us), bool(takeover.drill_until_us)) == (True, True)
    assert "quay-0" not in takeover.cameras


async def test_guests_keep_what_they_were_for_their_footage(tmp_path: Path) -> None:
    """Over retention's own code: a guest that moves, or goes, counts for what it was; a tier that is none of ours is left out."""
    made = Keepsight(tmp_path)
    clock = SystemClock()
    async with open_index(load_settings(made.config, {})) as index:
        await write_policy(index)
        harbour = PeerSite("harbour", SteppedClock())
        await harbour.index.add_camera(a_camera("quay", tier="general", area="a"))
        await harbour.index.add_camera(a_camera("pier", tier="of theirs"))
        guests = Guests("harbour", harbour, index=index, changes=RememberedChanges(index, clock, notice_days=7))
        await guests.follow()
        assert [(camera.id, camera.tier) for camera in (await index.cameras()).items] == [("pier", ""), ("quay", "general")]
        await harbour.index.set_camera(a_camera("quay", tier="general", area="b"))
        await harbour.index.remove_camera("pier")
        await guests.follow()
        assert [record.id for record in await index.records("formerly")] == ["pier", "quay"]
