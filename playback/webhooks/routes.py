"""`/webhooks`: who is told of what; for administrators. A secret is shown once, when it is made. The rule writes changes down."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from playback.access import Asker, needs
from playback.problems import described
from playback.services import Given
from playback.webhooks.orders import (
    WebhookOrder,
    drop_letter,
    make_webhook,
    remove_webhook,
    replace_secret,
    resume,
    retry_letter,
    try_webhook,
)
from playback.webhooks.standing import all_webhooks, read_letters, read_standing, read_webhook
from playback.webhooks.subscription import Webhook
from playback.webhooks.telling import Means
from playback.webhooks.views import (
    DeadList,
    LetterId,
    SentView,
    WebhookId,
    WebhookList,
    WebhookMade,
    WebhookView,
    WebhookWanted,
    dead_view,
    sent_view,
    webhook_view,
)
from segments.access import Subject, Verb
from segments.errors import NotFound

router = APIRouter(tags=["webhooks"])
_ADMINISTER = needs(Verb.ADMINISTER)


async def _means(services: Given) -> Means:
    if services.webhooks is None:
        raise NotFound("this service tells no webhooks")
    return services.webhooks


async def _own(webhook: WebhookId, asker: Asker, means: Annotated[Means, Depends(_means)]) -> Webhook:
    """A webhook the asker may know of: one whose scope is not the whole site's knows its own only."""
    found = await read_webhook(means.index, webhook)
    if not _may_know(asker, found):
        raise NotFound(f"there is no webhook {webhook}")
    return found


def _may_know(asker: Subject, webhook: Webhook) -> bool:
    return asker.scope.everything or webhook.created_by == asker.id


Told = Annotated[Means, Depends(_means)]
Own = Annotated[Webhook, Depends(_own)]


@router.post("/webhooks", status_code=201, dependencies=_ADMINISTER, responses=described(400, 404, 409))
async def add_webhook(means: Told, asker: Asker, wanted: WebhookWanted) -> WebhookMade:
    """Register an address for events from now on. The secret that signs them is in this answer and nowhere else."""
    order = WebhookOrder(wanted.url, wanted.chosen(), asker.id, wanted.scope.scope(), asker.scope, wanted.note)
    means.reach.checked(order.url)
    webhook, secret = await make_webhook(order, means)
    return WebhookMade(**(await _view(webhook, means)).model_dump(), secret=secret)


@router.get("/webhooks", dependencies=_ADMINISTER, responses=described(404))
async def webhooks(means: Told, asker: Asker) -> WebhookList:
    """All webhooks, and how they do; never a secret."""
    return WebhookList(webhooks=[await _view(one, means) for one in await all_webhooks(means.index) if _may_know(asker, one)])


@router.get("/webhooks/{webhook}", dependencies=_ADMINISTER, responses=described(404))
async def webhook(means: Told, one: Own) -> WebhookView:
    """One webhook, and how it does."""
    return await _view(one, means)


@router.delete("/webhooks/{webhook}", status_code=204, dependencies=_ADMINISTER, responses=described(404, 409))
async def delete_webhook(means: Told, one: Own) -> None:
    """Remove a webhook with its secrets and dead letters: it is told nothing more."""
    await remove_webhook(one.id, means)


@router.post("/webhooks/{webhook}/test", dependencies=_ADMINISTER, responses=described(404))
async def test_webhook(means: Told, one: Own) -> SentView:
    """Send one signed message of the type `webhook.test`, and say what came back."""
    return sent_view(await try_webhook(one.id, means))


@router.post("/webhooks/{webhook}/secret", dependencies=_ADMINISTER, responses=described(404, 409))
async def new_secret(means: Told, one: Own) -> WebhookMade:
    """Make another secret. For a day messages carry a signature of each, so that the receiver has the time to change."""
    changed, secret = await replace_secret(one.id, means)
    return WebhookMade(**(await _view(changed, means)).model_dump(), secret=secret)


@router.post("/webhooks/{webhook}/resumption", dependencies=_ADMINISTER, responses=described(404, 409))
async def resume_webhook(means: Told, one: Own) -> WebhookView:
    """Tell a paused webhook again, beginning with what it was not told, of the last week at most."""
    return await _view(await resume(one.id, means), means)


@router.get("/webhooks/{webhook}/dead", dependencies=_ADMINISTER, responses=described(404))
async def dead_letters(means: Told, one: Own) -> DeadList:
    """The messages that were given up."""
    letters = await read_letters(means.index, one.id)
    return DeadList(dead=[dead_view(letter) for letter in letters.kept], dropped=letters.dropped)


@router.post("/webhooks/{webhook}/dead/{message}/retry", dependencies=_ADMINISTER, responses=described(404, 409))
async def retry_dead_letter(means: Told, one: Own, message: LetterId) -> SentView:
    """Send a dead letter once more; taken, it is one no more."""
    return sent_view(await retry_letter(one.id, message, means))


@router.delete("/webhooks/{webhook}/dead/{message}", status_code=204, dependencies=_ADMINISTER, responses=described(404, 409))
async def drop_dead_letter(means: Told, one: Own, message: LetterId) -> None:
    """Forget a dead letter."""
    await drop_letter(one.id, message, means)


async def _view(webhook: Webhook, means: Means) -> WebhookView:
    return webhook_view(webhook, await read_standing(means.index, webhook.id), await read_letters(means.index, webhook.id))
