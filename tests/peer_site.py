"""A site as another one sees it, for tests of what sites know of each other: a memory index, and what is asked of it, with its faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from replication.ports import PROTOCOL, Hello
from replication.site_record import heard_us
from segments.errors import TryAgain
from segments.hold import Hold, Stretch
from segments.model import Camera
from segments.stores.memory_index import MemoryIndex
from segments.takeover import read_takeover, told_home
from tests.fakes import SteppedClock


class PeerSite:
    """See `AskSite`. `away`: it does not answer; `asked` counts the buckets that were read."""

    def __init__(self, name: str, clock: SteppedClock) -> None:
        self.name = name
        self.says = name
        self.index = MemoryIndex()
        self.clock = clock
        self.away = False
        self.epoch = 5
        self.protocol = PROTOCOL
        self.asked = 0
        self.told: list[Hold] = []

    def _answer(self) -> None:
        if self.away:
            raise TryAgain(f"{self.name} does not answer")

    async def hello(self) -> Hello:
        """See `AskSite`."""
        self._answer()
        return Hello(self.says, self.protocol, "1.0", self.clock.now_us(), self.epoch, "key")

    async def camera_stamps(self) -> Mapping[int, str]:
        """See `AskSite`."""
        self._answer()
        return await self.index.camera_stamps()

    async def cameras_in(self, bucket: int) -> Sequence[Camera]:
        """See `AskSite`."""
        self._answer()
        self.asked += 1
        return [camera for camera in await self.index.cameras_in(bucket) if not camera.home]

    async def credentials_in(self, bucket: int) -> Mapping[str, bytes]:
        """See `AskSite`."""
        self._answer()
        return await self.index.credentials_in(bucket)

    async def holds(self) -> Sequence[Hold]:
        """See `AskSite`."""
        self._answer()
        return ()

    async def tell_holds(self, holds: Sequence[Hold]) -> Sequence[Stretch] | None:
        """See `AskSite`."""
        self._answer()
        self.told += holds
        return ()

    async def taken_over(self, site: str) -> Sequence[str] | None:
        """See `AskSite`."""
        self._answer()
        return told_home(await read_takeover(self.index, site))

    async def heard_us(self, site: str) -> int:
        """See `AskSite`."""
        self._answer()
        return await heard_us(self.index, site)
