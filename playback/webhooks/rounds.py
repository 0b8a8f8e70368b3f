"""All webhooks of a site: each is told by a task of its own, so that a slow receiver holds up nobody but itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from playback.webhooks.sources import CameraSource, ExportSource, HoldSource, Source
from playback.webhooks.standing import all_webhooks
from playback.webhooks.subscription import OF_CAMERAS, EventType, Webhook
from playback.webhooks.telling import Means, Telling, a_telling
from segments.clock import US_PER_S
from segments.errors import KeepsightError
from segments.model import Camera

log = logging.getLogger(__name__)

WEBHOOK_DUTY = "webhooks"
"""The kind of the duty; of one shard."""
EVERY_S = 5.0
CAMERAS_EVERY_S = 30.0
"""So often the archive is read again."""


class Webhooks:
    """The rounds of the duty."""

    def __init__(self, means: Means, *, look_back_s: int) -> None:
        self._means = means
        self._look_back_us = look_back_s * US_PER_S
        self._cameras: list[Camera] = []
        self._cameras_ns: int | None = None
        self._tellings: dict[str, Telling] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def round(self) -> float:
        """Tells until it is cancelled; a fault of the index ends it, and it is begun anew."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self.look()
                for webhook, telling in self._tellings.items():
                    if webhook not in self._tasks:
                        self._tasks[webhook] = tasks.create_task(self._run(telling))
                await self._means.clock.sleep(EVERY_S)

    async def look(self) -> None:
        """Reads which webhooks there are, and how they are now."""
        found = {one.id: one for one in await all_webhooks(self._means.index)}
        for gone in self._tellings.keys() - found.keys():
            del self._tellings[gone]
            if task := self._tasks.pop(gone, None):
                task.cancel()
        for webhook in found.values():
            if webhook.id in self._tellings:
                self._tellings[webhook.id].webhook = webhook
            else:
                self._tellings[webhook.id] = await a_telling(webhook, self._means)

    async def tell(self) -> None:
        """Tells every webhook once, all at the same time."""
        async with asyncio.TaskGroup() as tasks:
            for telling in self._tellings.values():
                tasks.create_task(self._once(telling))

    async def _run(self, telling: Telling) -> None:
        failing = False
        while True:
            try:
                await self._once(telling)
                failing = False
            except* KeepsightError as errors:
                if not failing:
                    words = {"webhook": telling.webhook.id, "error": errors.exceptions[0]}
                    log.warning("webhook.held-up: %(webhook)s is not told just now: %(error)s", words)
                failing = True
            await self._means.clock.sleep(EVERY_S)

    async def _once(self, telling: Telling) -> None:
        if not telling.webhook.pause:
            await telling.round(await self._sources(telling.webhook))

    async def _sources(self, webhook: Webhook) -> Sequence[tuple[Source, int]]:
        """What a webhook is told of, each with the moment since when it is there."""
        events, index = webhook.events, self._means.index
        cameras = [camera for camera in await self._archive() if webhook.covers(camera)]
        sources: list[tuple[Source, int]] = []
        known = None if webhook.covers_all else frozenset(camera.id for camera in cameras)
        if EventType.HOLD_PLACED in events:
            sources.append((HoldSource(index, known), 0))
        if EventType.EXPORT_READY in events:
            sources.append((ExportSource(index, known), 0))
        if not OF_CAMERAS.isdisjoint(events):
            sources += [(CameraSource(camera.id, events, index, self._look_back_us), camera.added_us) for camera in cameras]
        return sources

    async def _archive(self) -> Sequence[Camera]:
        now_ns = self._means.clock.monotonic_ns()
        if self._cameras_ns is None or now_ns - self._cameras_ns >= CAMERAS_EVERY_S * 1e9:
            found: list[Camera] = []
            after: str | None = ""
            while after is not None:
                page = await self._means.index.cameras(after=after)
                found += page.items
                after = page.next
            self._cameras, self._cameras_ns = found, now_ns
        return self._cameras
