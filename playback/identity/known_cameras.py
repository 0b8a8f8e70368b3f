"""Whether cameras lie in a scope, by the archive, which is asked once in some seconds a camera."""

from __future__ import annotations

from collections import OrderedDict

from segments.access import Scope
from segments.clock import US_PER_S, Clock
from segments.errors import NotFound
from segments.model import Camera
from segments.ports import Cameras

KEPT_US = 5 * US_PER_S
"""A camera that is moved to another area is in its new scopes, and out of its old ones, after so long."""
MOST_KEPT = 10_000


class KnownCameras:
    """The cameras that were asked for last."""

    def __init__(self, cameras: Cameras, clock: Clock) -> None:
        self._cameras = cameras
        self._clock = clock
        self._kept: OrderedDict[str, tuple[int, Camera | None]] = OrderedDict()

    async def in_scope(self, scope: Scope, camera_id: str) -> bool:
        """Whether a camera is one of a scope. One that is not in the archive is only where it is named, or where everything is."""
        if scope.everything or camera_id in scope.cameras:
            return True
        camera = await self._camera(camera_id)
        return camera is not None and scope.covers(camera)

    async def _camera(self, camera_id: str) -> Camera | None:
        now_us = self._clock.now_us()
        kept = self._kept.get(camera_id)
        if kept is not None and 0 <= now_us - kept[0] < KEPT_US:
            return kept[1]
        try:
            found: Camera | None = await self._cameras.camera(camera_id)
        except NotFound:
            found = None
        self._kept[camera_id] = (now_us, found)
        self._kept.move_to_end(camera_id)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found
