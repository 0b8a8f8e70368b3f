"""How a webhook does: what was told, since when nothing is taken, and its dead letters. Their records, and changes to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from playback.webhooks.subscription import WEBHOOKS, Webhook, webhook_of, webhook_values
from segments.errors import Conflict, NotFound
from segments.ports import Records
from segments.record import Record, new_record

STANDINGS = "webhook-standing"
DEAD = "webhook-dead"
MAX_DEAD = 100
"""So many dead letters of a webhook are kept, the newest; older ones are counted only."""
TRIES = 5


class DeadLetter(NamedTuple):
    """A message that was given up: `body` is what was sent, `said` what came back the last time."""

    id: str
    type: str
    camera: str
    at_us: int
    body: str
    attempts: int
    said: str
    given_up_us: int


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of a webhook, oldest first; `dropped`: how many more there were than are kept."""

    kept: tuple[DeadLetter, ...] = ()
    dropped: int = 0

    def plus(self, letter: DeadLetter) -> Letters:
        """With one more, in place of itself if it is there."""
        kept = (*(one for one in self.kept if one.id != letter.id), letter)
        return Letters(kept[-MAX_DEAD:], self.dropped + max(0, len(kept) - MAX_DEAD))

    def without(self, letter_id: str) -> Letters:
        """Without one."""
        return replace(self, kept=tuple(one for one in self.kept if one.id != letter_id))


@dataclass(frozen=True, slots=True)
class Standing:
    """`failing_since_us` is 0 while messages are taken; `said` is the last failure in a few words."""

    told: int = 0
    failed: int = 0
    told_us: int = 0
    failing_since_us: int = 0
    said: str = ""


async def all_webhooks(records: Records) -> list[Webhook]:
    """Those that stand, in order of their making."""
    found = [webhook_of(record) for record in await records.records(WEBHOOKS)]
    return sorted((one for one in found if one.stands), key=lambda one: (one.created_us, one.id))


async def read_webhook(records: Records, webhook: str) -> Webhook:
    """One that stands; raises NotFound."""
    try:
        found = webhook_of(await records.record(WEBHOOKS, webhook))
    except NotFound:
        found = None
    if found is None or not found.stands:
        raise NotFound(f"there is no webhook {webhook}")
    return found


async def change_webhook(records: Records, webhook: str, change: Callable[[Webhook], Webhook]) -> Webhook:
    """Changes one that stands; raises NotFound, and Conflict if others change it all the time."""
    for attempt in range(TRIES):
        record = await records.record(WEBHOOKS, webhook)
        before = webhook_of(record)
        if not before.stands:
            break
        after = change(before)
        try:
            await records.put_record(record.changed(webhook_values(after)))
            return after
        except Conflict:
            if attempt == TRIES - 1:
                raise
    raise NotFound(f"there is no webhook {webhook}")


async def read_standing(records: Records, webhook: str) -> Standing:
    """How a webhook does; nothing was told yet where nothing is written."""
    try:
        return Standing(**(await records.record(STANDINGS, webhook)).values)
    except NotFound:
        return Standing()


async def write_standing(records: Records, webhook: str, standing: Standing) -> None:
    """Notes it, over whatever was there."""
    first = new_record(STANDINGS, webhook, asdict(standing))
    await _write(records, first, lambda _: first.values)


async def read_letters(records: Records, webhook: str) -> Letters:
    """The dead letters of a webhook."""
    try:
        return _letters((await records.record(DEAD, webhook)).values)
    except NotFound:
        return Letters()


async def change_letters(records: Records, webhook: str, change: Callable[[Letters], Letters]) -> None:
    """Changes them; raises Conflict if others do so all the time."""
    first = new_record(DEAD, webhook, asdict(change(Letters())))
    await _write(records, first, lambda values: asdict(change(_letters(values))))


def _letters(values: dict[str, Any]) -> Letters:
    return Letters(tuple(DeadLetter(*one) for one in values.get("kept", ())), values.get("dropped", 0))


async def _write(records: Records, first: Record, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Writes a record that is not there yet, or changes it."""
    for attempt in range(TRIES):
        try:
            present = await records.record(first.kind, first.id)
            record = present.changed(change(present.values))
        except NotFound:
            record = first
        try:
            await records.put_record(record)
        except Conflict:
            if attempt == TRIES - 1:
                raise
        else:
            return
