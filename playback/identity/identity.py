"""All that knows who somebody is, over one index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from fastapi import Request

from playback.identity.api_keys import MOST_DAYS, ApiKeys
from playback.identity.entrance import Entrance, TokenSource
from playback.identity.known_cameras import KnownCameras
from playback.identity.passwords import Passwords
from playback.identity.sessions import Now, SessionLimits, Sessions
from playback.identity.throttle import Throttle
from playback.identity.users import Users
from segments.access import Subject
from segments.clock import Clock
from segments.ports import Cameras, Records


class IdentityIndex(Records, Cameras, Protocol):
    """What identity needs of an index."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Users, keys and sessions of a site, and what slows down who guesses."""

    users: Users
    keys: ApiKeys
    sessions: Sessions
    throttle: Throttle
    limits: SessionLimits
    cameras: KnownCameras

    def entrance(self, *more: TokenSource) -> Entrance:
        """The access over them, and over other kinds of bearer tokens, which are asked first."""
        sources: Sequence[TokenSource] = [*more, self.keys, self.users]
        return Entrance(sources, self.sessions, self.cameras)


def identity_over(
    index: IdentityIndex,
    clock: Clock,
    *,
    limits: SessionLimits = SessionLimits(),
    key_days: int = MOST_DAYS,
    passwords: Passwords | None = None,
    now_of: Mapping[str, Now] | None = None,
) -> Identity:
    """Identity as an index keeps it. `now_of` says who subjects of other sources are now; see `Sessions`."""
    users = Users(index, clock, passwords)

    async def user_now(subject: Subject) -> Subject | None:
        return await users.known(subject.id)

    return Identity(
        users=users,
        keys=ApiKeys(index, clock, most_days=key_days),
        sessions=Sessions(index, clock, limits, {"user": user_now, **(now_of or {})}),
        throttle=Throttle(clock),
        limits=limits,
        cameras=KnownCameras(index, clock),
    )


async def identity_of(request: Request) -> Identity:
    """The identity of the application that answers this request."""
    return cast("Identity", request.app.state.identity)
