"""What every address of a player may carry beside its span: how bytes are delivered, why, and the link that opens it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from playback.delivery import Delivery

Reason = Annotated[str, Query(max_length=1000, description="Why the footage is asked for, where it has to be said; entries carry it on")]
LinkText = Annotated[str, Query(max_length=2048, description="A link of `POST /cameras/{camera}/links`, in the place of a login")]
HowDelivered = Annotated[Delivery | None, Query(description="`links`: by a redirect to the pool where that can be; without it as set")]


async def _play_query(delivery: HowDelivered = None, reason: Reason = "", link: LinkText = "") -> Delivery | None:  # noqa: ARG001 - described here
    return delivery


PlayQuery = Annotated[Delivery | None, Depends(_play_query)]
"""How bytes are to be delivered, if the request says so."""
