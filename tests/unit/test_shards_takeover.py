"""What a place records of other sites' cameras, and in which epochs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.shards import ShardServer
from segments.takeover import Taken, Takeover, write_taken, write_takeover
from tests.builders import NOON_US, a_camera
from tests.shard_site import Recorder, Site, site

OURS, GUEST = a_camera("gate", added_us=NOON_US), a_camera("quay", home="harbour", added_us=NOON_US)


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A place of a site that has others."""
    begin = ShardServer.__init__

    def of_several(self: ShardServer, settings: Any, *given: Any, **named: Any) -> None:
        begin(self, replace(settings, several_sites=True), *given, **named)

    monkeypatch.setattr(ShardServer, "__init__", of_several)
    async with site(tmp_path, OURS, GUEST) as it:
        yield it


async def recording(place: Site) -> Recorder:
    """A recorder that was given its cameras."""
    await place.pass_(2)
    recorder = await place.recorder()
    await place.pass_(6)
    return recorder


def a_takeover(**fields: Any) -> Takeover:
    """All cameras of the harbour, in epochs above 1,000."""
    return Takeover("harbour", (), NOON_US, "Lin", "fire", 1_000, **fields)


async def test_cameras_of_other_sites_are_recorded_while_they_are_taken_over(place: Site) -> None:
    """In an epoch above the other site's, once; afterwards only ours, in the same epoch."""
    recorder = await recording(place)
    assert recorder.cameras == ["gate"]
    await place.index.inner.spend_epochs(1_000)
    await write_takeover(place.index.inner, a_takeover(), before=None)
    await place.pass_(6)
    assert recorder.cameras == ["gate", "quay"]
    assert recorder.epoch == (await place.lease()).epoch == 1_001
    await place.pass_(10)
    assert recorder.epoch == 1_001
    await write_takeover(place.index.inner, a_takeover(ended_us=1), before=a_takeover())
    await place.pass_(6)
    assert (recorder.cameras, recorder.epoch) == (["gate"], 1_001)


async def test_cameras_that_another_site_records_are_not_recorded_until_they_are_ours_again(place: Site) -> None:
    """Then in an epoch above that site's."""
    recorder = await recording(place)
    await write_taken(place.index.inner, Taken("hill", (), NOON_US), before=None)
    await place.pass_(6)
    assert recorder.cameras == []
    await place.index.inner.spend_epochs(5_000)
    await write_taken(place.index.inner, Taken("hill", (), NOON_US, 1, 5_000), before=Taken("hill", (), NOON_US))
    await place.pass_(6)
    assert (recorder.cameras, recorder.epoch) == (["gate"], 5_001)


async def test_an_epoch_that_cannot_be_reached_is_asked_for_once(place: Site) -> None:
    """The index has forgotten that it spent them: recording goes on in what it gives, and is not begun anew for ever."""
    recorder = await recording(place)
    await write_takeover(place.index.inner, a_takeover(), before=None)
    await place.pass_(6)
    epoch = recorder.epoch
    assert epoch < 1_000
    await place.pass_(10)
    assert recorder.epoch == epoch
    assert recorder.cameras == ["gate", "quay"]


async def test_a_site_alone_records_no_camera_of_another(tmp_path: Path) -> None:
    """Whatever records of takeovers there are; none is read."""
    async with site(tmp_path, OURS, GUEST) as it:
        await write_takeover(it.index.inner, a_takeover(), before=None)
        recorder = await recording(it)
        assert recorder.cameras == ["gate"]
