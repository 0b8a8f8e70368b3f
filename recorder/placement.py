"""Which shard a camera belongs to: pure, and the same everywhere."""

from __future__ import annotations

import hashlib


def shard_of(camera: str, shards: int) -> int:
    """The shard of a camera, by rendezvous hashing: one shard more moves only the cameras that go to it."""
    return max(range(shards), key=lambda shard: hashlib.blake2b(f"{shard}/{camera}".encode(), digest_size=8).digest())
