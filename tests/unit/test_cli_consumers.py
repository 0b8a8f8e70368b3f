"""`keepsight sensitive`, `keepsight quota` and `keepsight metering`: in sentences and JSON, on a real index."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index
from playback.consumers.metering import Metering
from playback.consumers.usage import Used
from segments.audit import Act
from segments.clock import SystemClock, day_of
from tests.builders import a_camera
from tests.command_line import Keepsight


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    """A site with a camera, from which a platform played some."""
    made = Keepsight(tmp_path)

    async def some() -> None:
        async with open_index(load_settings(made.config, {})) as index:
            await index.add_camera(a_camera("gate"))
            metering = Metering(index, SystemClock())
            metering.used("key:a").add(Used(7, 1, 3600.0, 5_000_000, 0.0, 0))
            await metering.flush()

    asyncio.run(some())
    return made


def acts(keepsight: Keepsight) -> list[Act]:
    """What the register has of today."""

    async def read() -> list[Act]:
        async with open_index(load_settings(keepsight.config, {})) as index:
            page = await index.audit_of_day(day_of(SystemClock().now_us()))
            return [line.act for line in page.items if line.act is not None]

    return asyncio.run(read())


def test_a_declaration_comes_and_goes(keepsight: Keepsight) -> None:
    """It is listed with who and why while it stands; what is not there is refused."""
    made = keepsight.json("sensitive", "add", "--camera", "gate", "--reason", "a school", "--by", "Li")
    (listed,) = keepsight.json("sensitive", "list")
    assert listed == made
    assert (listed["kind"], listed["name"], listed["by"], listed["reason"]) == ("camera", "gate", "Li", "a school")
    assert "a school" in keepsight("sensitive", "list").stdout
    assert "no longer" in keepsight("sensitive", "remove", made["id"], "--reason", "moved", "--by", "Li").stdout
    assert keepsight.json("sensitive", "list") == []
    keepsight.refused("sensitive", "remove", made["id"], "--reason", "again", "--by", "Li", code=2)
    assert [(act.who.name, act.what, act.reason) for act in acts(keepsight)] == [
        ("Li", "declared camera gate sensitive", "a school"),
        ("Li", "declared camera gate no longer sensitive", "moved"),
    ]


@pytest.mark.parametrize("words", [("--camera", "none"), ("--hold", "none"), ("--camera", "gate", "--area", "fujian"), ()])
def test_what_cannot_be_declared(keepsight: Keepsight, words: tuple[str, ...]) -> None:
    """A camera or hold there is not, and anything but one thing, is refused with a sentence."""
    keepsight.refused("sensitive", "add", *words, "--reason", "x", "--by", "Li", code=2)


def test_a_quota_is_set_and_taken_back(keepsight: Keepsight) -> None:
    """Limits that are said are kept; said anew they replace those before."""
    keepsight("quota", "set", "key:a", "--streams", "64", "--requests-per-s", "0", "--by", "Li")
    assert keepsight.json("quota", "list") == [{"subject": "key:a", "limits": {"streams": 64, "requests_per_s": 0}, "by": "Li"}]
    assert "streams 64" in keepsight("quota", "list").stdout
    keepsight("quota", "set", "key:a", "--by", "Li")
    assert keepsight.json("quota", "list") == []
    keepsight("quota", "set", "key:a", "--streams", "-1", code=2)


def test_metering_is_shown(keepsight: Keepsight) -> None:
    """By day and consumer; days that are none are refused."""
    (row,) = keepsight.json("metering")
    assert (row["consumer"], row["requests"], row["refused"], row["played_s"], row["played_bytes"]) == ("key:a", 7, 1, 3600.0, 5_000_000)
    assert "5.0" in keepsight("metering").stdout
    assert "nothing was taken" in keepsight("metering", "--from", "2026-01-01", "--to", "2026-01-02").stdout
    keepsight.refused("metering", "--from", "2026-01-02", "--to", "2026-01-01", code=2)
