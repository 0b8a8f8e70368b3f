"""A client of Keepsight for Python: cameras, timelines, playlists, pictures, footage as files, exports, holds; and webhooks' signatures.

async with Keepsight("https://footage.example.org", key) as keepsight:
    async for camera in keepsight.cameras(area="harbour"):
        print(camera.id, camera.state)

It imports nothing of the service, and is typed (PEP 561).
"""

from __future__ import annotations

from playback.client.errors import (
    BadInput,
    Conflict,
    Damaged,
    ExportFailed,
    FootageGone,
    KeepsightError,
    NeedsConsent,
    NeedsReason,
    NoAnswer,
    NoFootage,
    NotAllowed,
    NotFound,
    NotKnown,
    TooMuch,
    TryAgain,
)
from playback.client.keepsight import Keepsight
from playback.client.values import Bucket, Camera, Export, ExportItem, FootageFile, Hold, Link, Snapshot, Stretch, Timeline
from playback.client.webhook import verified

__all__ = [
    "BadInput",
    "Bucket",
    "Camera",
    "Conflict",
    "Damaged",
    "Export",
    "ExportFailed",
    "ExportItem",
    "FootageFile",
    "FootageGone",
    "Hold",
    "Keepsight",
    "KeepsightError",
    "Link",
    "NeedsConsent",
    "NeedsReason",
    "NoAnswer",
    "NoFootage",
    "NotAllowed",
    "NotFound",
    "NotKnown",
    "Snapshot",
    "Stretch",
    "Timeline",
    "TooMuch",
    "TryAgain",
    "verified",
]
