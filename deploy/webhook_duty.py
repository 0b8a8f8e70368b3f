"""Webhooks as a duty: one place of the site tells all of them, made from the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from deploy.fleet.rounds import Round
from deploy.settings import Settings
from deploy.wiring import webhook_sealer
from playback.webhooks.address import Reach
from playback.webhooks.post import HttpPost
from playback.webhooks.rounds import Webhooks
from playback.webhooks.sources import WebhookIndex
from playback.webhooks.telling import Means
from segments.clock import Clock
from segments.duty import Duty


def webhook_reach(settings: Settings) -> Reach:
    """What webhooks may reach."""
    own = settings.webhooks
    return Reach(http=own.http, loopback=own.loopback, networks=own.networks)


@contextlib.asynccontextmanager
async def webhook_means(settings: Settings, index: WebhookIndex, clock: Clock) -> AsyncIterator[Means]:
    """What webhooks are told with; raises StartRefused if their key is unfit."""
    reach = webhook_reach(settings)
    post = HttpPost(reach)
    try:
        yield Means(index, webhook_sealer(settings), post, reach, clock, settings.site.name)
    finally:
        await post.close()


def webhook_rounds(settings: Settings, means: Means) -> Callable[[Duty], Round]:
    """Makes the rounds of the one shard."""

    def begin(_: Duty) -> Round:
        return Webhooks(means, look_back_s=settings.webhooks.look_back_s).round

    return begin
