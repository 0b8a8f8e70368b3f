"""Which shard of a duty a camera belongs to, and which bucket of the archive: pure, and the same everywhere."""

from __future__ import annotations

import hashlib
from functools import lru_cache

CAMERA_BUCKETS = 64
"""Into so many partitions the camera archive of a site is divided; never changed once there is one."""


@lru_cache(maxsize=1 << 16)
def shard_of(camera: str, shards: int) -> int:
    """The shard of a camera, by rendezvous hashing: one shard more moves only the cameras that go to it."""
    return max(range(shards), key=lambda shard: hashlib.blake2b(f"{shard}/{camera}".encode(), digest_size=8).digest())


def bucket_of(camera: str) -> int:
    """The bucket of the archive a camera lies in."""
    return int.from_bytes(hashlib.blake2b(camera.encode(), digest_size=8).digest()) % CAMERA_BUCKETS
