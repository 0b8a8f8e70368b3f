"""What is done to webhooks: made, tried, given another secret, resumed, removed; and their dead letters sent again or dropped."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from playback.webhooks.attempts import Answer, Fate, fate
from playback.webhooks.events import Event, message, message_id
from playback.webhooks.secret import with_new_secret
from playback.webhooks.standing import DeadLetter, Letters, all_webhooks, change_letters, change_webhook, read_letters, read_webhook
from playback.webhooks.subscription import MAX_WEBHOOKS, WEBHOOKS, EventType, Webhook, webhook_values
from playback.webhooks.telling import Means, send
from segments.access import EVERYTHING, Scope
from segments.errors import Conflict, NotFound
from segments.record import new_record


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A webhook as it is asked for; `within` is the scope of who asks."""

    url: str
    events: tuple[EventType, ...]
    by: str
    scope: Scope = EVERYTHING
    within: Scope = EVERYTHING
    note: str = ""


async def make_webhook(order: WebhookOrder, means: Means) -> tuple[Webhook, str]:
    """Makes it; it is told of what happens from now on. Gives its secret, which is shown this once. Raises BadInput, Conflict."""
    url = means.reach.checked(order.url)
    if len(await all_webhooks(means.index)) >= MAX_WEBHOOKS:
        raise Conflict(f"there are {MAX_WEBHOOKS} webhooks, which is the most: remove one")
    now_us = means.clock.now_us()
    events = tuple(dict.fromkeys(order.events))
    bare = Webhook(secrets.token_hex(6), url, events, now_us, order.by, order.scope, order.within, note=order.note)
    webhook, secret = with_new_secret(bare, means.sealer, now_us)
    await means.index.put_record(new_record(WEBHOOKS, webhook.id, webhook_values(webhook)))
    return webhook, secret


async def replace_secret(webhook: str, means: Means) -> tuple[Webhook, str]:
    """Gives it another secret, shown this once; the one before signs, too, for a day. Raises NotFound."""
    shown = ""

    def change(one: Webhook) -> Webhook:
        nonlocal shown
        changed, shown = with_new_secret(one, means.sealer, means.clock.now_us())
        return changed

    return await change_webhook(means.index, webhook, change), shown


async def resume(webhook: str, means: Means) -> Webhook:
    """Sends to it again what was not told, at most of the last week. Raises NotFound."""
    return await change_webhook(means.index, webhook, lambda one: replace(one, pause=""))


async def remove_webhook(webhook: str, means: Means) -> None:
    """Forgets it, its secrets and its dead letters. Raises NotFound."""
    now_us = means.clock.now_us()
    await change_webhook(means.index, webhook, lambda one: replace(one, removed_us=now_us, secrets=(), url="", note=""))
    await change_letters(means.index, webhook, lambda _: Letters())


async def try_webhook(webhook: str, means: Means) -> Answer:
    """Sends it a message of the type `webhook.test`, once. Raises NotFound."""
    found = await read_webhook(means.index, webhook)
    event = Event(EventType.TEST, means.clock.now_us(), secrets.token_hex(8))
    identity = message_id(webhook, event)
    return await send(found, identity, message(identity, event, means.site), means)


async def retry_letter(webhook: str, letter_id: str, means: Means) -> Answer:
    """Sends a dead letter once more, with its id; it is one no more if it was taken. Raises NotFound."""
    found, letter = await read_webhook(means.index, webhook), await _letter(webhook, letter_id, means)
    answer = await send(found, letter.id, letter.body.encode(), means)
    if fate(answer) is Fate.TOLD:
        await change_letters(means.index, webhook, lambda letters: letters.without(letter_id))
    return answer


async def drop_letter(webhook: str, letter_id: str, means: Means) -> None:
    """Forgets a dead letter. Raises NotFound."""
    await read_webhook(means.index, webhook)
    await _letter(webhook, letter_id, means)
    await change_letters(means.index, webhook, lambda letters: letters.without(letter_id))


async def _letter(webhook: str, letter_id: str, means: Means) -> DeadLetter:
    for letter in (await read_letters(means.index, webhook)).kept:
        if letter.id == letter_id:
            return letter
    raise NotFound(f"webhook {webhook} has no dead letter {letter_id}")
