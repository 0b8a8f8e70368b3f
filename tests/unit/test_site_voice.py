"""What a site says of itself to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.settings import Settings, load_settings
from deploy.site_voice import EPOCH_S, LiveOfPlaces, OwnVoice
from playback.live import Partly
from replication.site_record import SiteSeen, write_site
from segments.clock import US_PER_S
from segments.duty import RECORD, Duty
from segments.errors import TryAgain
from segments.model import Row, Run
from segments.stores.memory_index import MemoryIndex
from segments.takeover import Takeover, write_takeover
from tests.builders import NOON_US, a_row, a_run
from tests.clocks import HandClock


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        None, {"KEEPSIGHT_SITE__NAME": "north", "KEEPSIGHT_SITE__FOLDER": str(tmp_path), "KEEPSIGHT_FLEET__RECORDERS": "3"}
    )


async def _nothing(_: Any) -> None:
    return None


async def test_it_tells_its_highest_epoch(settings: Settings) -> None:
    """The highest of all leases there are, of either lane and any duty; read again now and then."""
    index, clock = MemoryIndex(), HandClock()
    voice = OwnVoice(settings, index, _nothing, clock)
    assert (await voice.hello()).epoch == 0
    for duty in (Duty(RECORD["a"], 0, 3), Duty(RECORD["b"], 2, 3)):
        await index.acquire(duty, "home", seen=None, now_us=NOON_US, ttl_us=US_PER_S)
    assert (await voice.hello()).epoch == 0
    clock.move(EPOCH_S)
    hello = await voice.hello()
    assert (hello.site, hello.epoch, hello.now_us, hello.camera_key) == ("north", 2, clock.now_us(), "")


async def test_epochs_of_a_takeover_are_told_at_once(settings: Settings) -> None:
    """Who has its cameras again within seconds goes on above what was recorded in its place."""
    index = MemoryIndex()
    voice = OwnVoice(settings, index, _nothing, HandClock())
    assert (await voice.hello()).epoch == 0
    await write_takeover(index, Takeover("south", (), NOON_US, "Li", "it is dark", after_epoch=3_000_000), before=None)
    assert (await voice.hello()).epoch == 3_000_000


async def test_it_tells_what_it_has_taken_over_and_heard() -> None:
    """As its records have it."""
    index = MemoryIndex()
    voice = OwnVoice(load_settings(None, {}), index, _nothing, HandClock())
    assert (await voice.taken_over("south"), await voice.heard_us("south")) == (None, 0)
    await write_takeover(index, Takeover("south", ("gate",), NOON_US, "Li", "it is dark", 7), before=None)
    await write_site(index, SiteSeen("south", heard_us=NOON_US))
    assert (await voice.taken_over("south"), await voice.heard_us("south")) == (("gate",), NOON_US)


async def test_the_live_edge_is_what_answers() -> None:
    """Where some places do not answer, what the others know is told; where none does, nobody can tell."""

    class Some:
        def __init__(self, error: TryAgain) -> None:
            self._error = error

        async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
            raise self._error

    pair = (a_row(), a_run())
    assert await LiveOfPlaces(Some(Partly([pair], TryAgain("away")))).segments("gate") == [pair]
    with pytest.raises(TryAgain):
        await LiveOfPlaces(Some(TryAgain("away"))).segments("gate")
