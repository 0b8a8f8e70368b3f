"""Two sites whose cameras have the same id, and are not the same camera."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from replication.namesakes import KNOWN_S, PeerButNamesakes
from replication.ports import Peer
from segments.errors import TryAgain
from segments.model import Camera, Span
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera, a_run
from tests.clocks import HandClock
from tests.copy_sites import FootageSite, footage

ROWS = footage()
SPAN = Span(NOON_US, NOON_US + 180_000_000)
OURS = a_camera()


class _Asked:
    """What asks a site, counting questions about its cameras."""

    def __init__(self, site: FootageSite) -> None:
        self._source = site.source()
        self.asked = 0
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    async def cameras_in(self, bucket: int) -> Any:
        self.asked += 1
        if self.away:
            raise TryAgain("site b does not answer")
        return await self._source.cameras_in(bucket)


class Two:
    """Site b, which has footage of `gate`, as it is asked from here."""

    def __init__(self, *, here: Camera | None, there: Camera | None) -> None:
        self.b, self.index, self.clock = FootageSite(), MemoryIndex(), HandClock()
        self.here, self.there = here, there

    async def seen(self) -> tuple[int, int, int]:
        """How many rows, rows in a span, and stretches of footage are told of."""
        if self.here is not None:
            await self.index.add_camera(self.here)
        if self.there is not None:
            await self.b.index.add_camera(self.there)
        await self.b.keep(ROWS)
        await self.b.index.put_run(replace(a_run(id=ROWS[0].run, start_us=NOON_US), ended=True))
        self.peer = _Asked(self.b)
        self.apart = PeerButNamesakes("b", cast("Peer", self.peer), self.index, self.clock)
        return await self.again()

    async def again(self) -> tuple[int, int, int]:
        """The same, asked once more."""
        rows = await self.apart.rows("gate", ROWS[0].day, range(24))
        return len(rows), len(await self.apart.between("gate", SPAN)), len(await self.apart.footage("gate", SPAN))


@pytest.mark.parametrize("here", [OURS, replace(OURS, home="c")], ids=["ours", "of a third site"])
async def test_footage_of_a_namesake_is_left_out(here: Camera) -> None:
    """Both sites have a camera of this id at home: it is neither copied nor played as the one that is known here."""
    two = Two(here=here, there=a_camera(name="another gate"))
    assert await two.seen() == (0, 0, 0)
    assert await two.again() == (0, 0, 0)
    assert two.peer.asked == 1
    two.clock.move(KNOWN_S + 1)
    await two.again()
    assert two.peer.asked == 2


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (replace(OURS, home="b"), OURS),
        (OURS, replace(OURS, home="home")),
        (OURS, None),
        (None, OURS),
    ],
    ids=["its guest here", "ours, recorded there in our place", "moved here from there", "not known here yet"],
)
async def test_footage_of_the_same_camera_is_told_of(here: Camera | None, there: Camera | None) -> None:
    """The negative control: what was recorded of this camera is wanted, whoever recorded it."""
    two = Two(here=here, there=there)
    rows, between, stretches = await two.seen()
    assert (rows, between) == (3, 3)
    assert stretches >= 1


async def test_while_it_is_not_known_nothing_is_told_of() -> None:
    """A site that does not say which cameras it has is one that does not answer."""
    two = Two(here=OURS, there=None)
    await two.seen()
    two.clock.move(KNOWN_S + 1)
    two.peer.away = True
    with pytest.raises(TryAgain):
        await two.again()


async def test_all_else_is_asked_of_the_site() -> None:
    """Digests, say, and bytes, which are found by their hash."""
    two = Two(here=OURS, there=a_camera(name="another gate"))
    await two.seen()
    assert (await two.apart.read(ROWS[0])).size == ROWS[0].size
