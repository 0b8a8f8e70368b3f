"""Cameras of another site that only have the id of one of ours: their footage is never taken for ours, neither copied nor played."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from replication.ports import Peer
from segments.clock import Clock
from segments.errors import NotFound
from segments.model import Footage, Row, Run, Span
from segments.ports import Cameras
from segments.shards import bucket_of

KNOWN_S = 60
"""So long an answer of the other site about its own cameras counts."""


def but_namesakes(peers: Mapping[str, Peer], index: Cameras, clock: Clock) -> dict[str, PeerButNamesakes]:
    """All other sites, each without its namesakes of cameras of this index."""
    return {site: PeerButNamesakes(site, peer, index, clock) for site, peer in peers.items()}


class PeerButNamesakes:
    """Another site as it was, but without the rows and the footage of its namesakes: cameras at home there whose id is that of a camera
    here that is not its guest. What it recorded of ours in our place is no such footage: that camera is not at home there.

    Only about cameras that are not its guests it is asked, and believed for `KNOWN_S`.
    """

    def __init__(self, site: str, peer: Peer, index: Cameras, clock: Clock) -> None:
        self._site = site
        self._peer = peer
        self._index = index
        self._clock = clock
        self._known: dict[int, tuple[int, frozenset[str]]] = {}
        """By bucket: when it was asked, and the cameras at home there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)

    async def rows(self, camera: str, day: date, hours: Collection[int]) -> Sequence[Row]:
        """See `AskFootage`."""
        return () if await self._is_namesake(camera) else await self._peer.rows(camera, day, hours)

    async def between(self, camera: str, span: Span) -> Sequence[tuple[Row, Run]]:
        """See `AskFootage`."""
        return () if await self._is_namesake(camera) else await self._peer.between(camera, span)

    async def footage(self, camera: str, span: Span) -> Sequence[Footage]:
        """See `AskFootage`."""
        return () if await self._is_namesake(camera) else await self._peer.footage(camera, span)

    async def _is_namesake(self, camera: str) -> bool:
        try:
            ours = await self._index.camera(camera)
        except NotFound:
            return False
        return ours.home != self._site and camera in await self._at_home(bucket_of(camera))

    async def _at_home(self, bucket: int) -> Collection[str]:
        asked_ns, known = self._known.get(bucket, (0, frozenset[str]()))
        now_ns = self._clock.monotonic_ns()
        if bucket not in self._known or now_ns - asked_ns > KNOWN_S * 1_000_000_000:
            known = frozenset(camera.id for camera in await self._peer.cameras_in(bucket))
            self._known[bucket] = now_ns, known
        return known
