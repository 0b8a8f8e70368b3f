"""`keepsight hold` where there are other sites: each is named, as bound or with why it is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from replication.source import Source
from retention.merged_holds import merge_holds
from segments.clock import iso
from segments.hold import HOLDS, Hold, Stretch, hold_of
from segments.stores.memory_index import MemoryIndex
from tests.asked_site import KEY, AskedSite, SaidVoice, served
from tests.builders import NOON_US, a_camera
from tests.command_line import Keepsight
from tests.retention_builders import write_policy
from tests.servers.processes import free_port
from tests.unit.test_cli_hold import indexed

PLACE = ("hold", "place", "--case", "2026-17", "--from", iso(NOON_US), "--reason", "collision", "--by", "Li", "--camera", "gate")
LIFT = ("--reason", "court order 7", "--by", "Li", "--yes")


class MergingVoice(SaidVoice):
    """Makes the holds it is told its own."""

    def __init__(self, index: MemoryIndex) -> None:
        super().__init__()
        self._index = index
        self.gone = [Stretch("gate", NOON_US, NOON_US + 60_000_000)]

    async def merge_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        await merge_holds(holds, self._index)
        return self.gone


@pytest.fixture
def north() -> AskedSite:
    """Another site, which merges what it is told."""
    site = AskedSite()
    site.source = Source(site.index, {"main": site.objects}, MergingVoice(site.index))
    return site


@pytest.fixture
def keepsight(tmp_path: Path, north: AskedSite) -> Iterator[Keepsight]:
    """The site south, which knows north, and a site that never answers."""
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    began, loop = threading.Event(), asyncio.new_event_loop()
    found: list[tuple[str, Path]] = []
    end = asyncio.Event()

    async def serve() -> None:
        async with served(north, tmp_path) as at:
            found.append(at)
            began.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert began.wait(20)
    ((url, ca_file),) = found
    made = Keepsight(tmp_path)
    made.configure(
        f"[site]\nname = 'south'\n[sites.north]\nurl = '{url}'\nkey_file = '{tmp_path}/key'\nca_file = '{ca_file}'\n"
        f"[sites.west]\nurl = 'http://127.0.0.1:{free_port()}'\nkey_file = '{tmp_path}/key'\n"
    )
    indexed(made, write_policy)
    indexed(made, lambda index: index.add_camera(a_camera("gate", tier="general")))
    yield made
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


def test_each_site_is_named(keepsight: Keepsight, north: AskedSite) -> None:
    """Placed, extended, shown and lifted: north has it each time, west is named as not bound."""
    placed = keepsight.json(*PLACE)
    hold_id = placed["hold"]["id"]
    said = {each["site"]: each for each in placed["sites"]}
    assert (said["north"]["bound"], said["north"]["why"], said["west"]["bound"]) == (True, "", False)
    assert "west" in said["west"]["why"]
    assert [(each["camera"], each["from"]) for each in said["north"]["gone"]] == [("gate", iso(NOON_US))]
    assert (said["west"]["gone"], said["north"]["looking"]) == ([], False)
    assert _of(north, hold_id).stands
    text = keepsight("hold", "extend", hold_id, "--review", "2027-01-31", "--reason", "still open", "--by", "Li").stdout
    assert "site north: bound" in text
    assert "gone at site north: gate 2026-03-14T12:00:00" in text
    assert "site west: NOT BOUND there yet" in text
    assert [each["bound"] for each in keepsight.json("hold", "show", hold_id)["sites"]] == [True, False]
    assert "site north: bound" in keepsight("hold", "show", hold_id).stdout
    assert "site west: NOT BOUND" in keepsight("hold", "lift", hold_id, *LIFT).stdout
    assert not _of(north, hold_id).stands


def test_a_dry_run_and_an_explanation_ask_other_sites(keepsight: Keepsight) -> None:
    """They work where one of them is away."""
    assert keepsight.json("retention", "dry-run") == []
    assert keepsight.json("retention", "explain", "gate", "2026-03-14")["day"]["groups"] == []


def _of(site: AskedSite, hold_id: str) -> Hold:
    return hold_of(asyncio.run(site.index.record(HOLDS, hold_id)))
