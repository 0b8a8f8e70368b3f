"""Puts the entrance of the API together, by the settings."""

from __future__ import annotations

from typing import Protocol

from deploy.settings import Settings
from deploy.wiring import api_token
from playback.access import Access, Open
from playback.identity.entrance import Entrance, SiteToken
from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from segments.clock import Clock
from segments.ports import Cameras, Records


class AccessIndex(Records, Cameras, Protocol):
    """What access needs of an index."""


def access_of(settings: Settings, index: AccessIndex, clock: Clock) -> Access:
    """What stands before all routes."""
    token = api_token(settings)
    if token is None:
        return Open()
    return Entrance([SiteToken(token)], Sessions(index, clock), KnownCameras(index, clock))
