"""Holds between two whole sites: bound at both when the command answers, and found by the one that could not be told when it asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from segments.clock import iso
from tests.builders import NOON_US
from tests.servers.toxiproxy import Toxiproxy
from tests.servers.two_sites import TwoSites
from tests.service import Service

pytestmark = pytest.mark.server

PULLED_S = 30.0
"""A site asks every few seconds."""
PLACE = ("hold", "place", "--from", iso(NOON_US), "--reason", "collision", "--by", "Li", "--area", "harbour", "--json", "--case")


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[TwoSites]:
    """Without cameras."""
    with Toxiproxy() as toxiproxy:
        async with TwoSites(tmp_path, {}, toxiproxy) as made:
            yield made


async def said(site: Service, *words: str) -> Any:
    """What a command prints, by JSON."""
    done = await asyncio.to_thread(site.keepsight, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


async def standing(site: Service) -> set[str]:
    """The cases of the holds that stand at a site."""
    return {each["case"] for each in await said(site, "hold", "list", "--standing", "--json")}


async def test_a_hold_binds_at_both_sites(sites: TwoSites) -> None:
    """At once where the other can be told; where it cannot it is named, and learns of it when it asks; lifted at the other, it is here."""
    placed = await said(sites.north, *PLACE, "told")
    assert [(each["site"], each["bound"], each["gone"]) for each in placed["sites"]] == [("south", True, [])]
    assert await standing(sites.south) == {"told"}
    sites.cut("north")
    (missed,) = (await said(sites.north, *PLACE, "pulled"))["sites"]
    assert (missed["site"], missed["bound"]) == ("south", False)
    began_s = time.monotonic()
    while "pulled" not in await standing(sites.south):
        assert time.monotonic() - began_s < PULLED_S
    sites.mend()
    lifted = await said(sites.south, "hold", "lift", placed["hold"]["id"], "--reason", "closed", "--by", "Wang", "--yes", "--json")
    assert (lifted["waits_for_approval"], [(each["site"], each["bound"]) for each in lifted["sites"]]) == (False, [("north", True)])
    assert await standing(sites.north) == {"pulled"}
