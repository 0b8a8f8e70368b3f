"""Which shard a camera belongs to."""

from __future__ import annotations

from collections import Counter

from segments.shards import shard_of

CAMERAS = [f"35020000001320{n:06d}" for n in range(4_000)]


def test_shards_are_even() -> None:
    """Consecutive codes spread evenly: none of 8 shards is off its 500 by more than a fifth."""
    counted = Counter(shard_of(camera, 8) for camera in CAMERAS)

    assert set(counted) == set(range(8))
    assert all(400 <= count <= 600 for count in counted.values())


def test_a_new_shard_takes_only_its_own() -> None:
    """A camera that moves, moves to the shard that was added; about a ninth do."""
    moved = [(before, after) for camera in CAMERAS if (before := shard_of(camera, 8)) != (after := shard_of(camera, 9))]

    assert {after for _, after in moved} == {8}
    assert 350 <= len(moved) <= 550


def test_it_is_the_same_everywhere() -> None:
    """Fixed for ever: two programs that differ here would record a camera twice, or never."""
    assert [shard_of(camera, 5) for camera in ("gate", "door", "35020000001320000001")] == [0, 3, 0]
    assert {shard_of(camera, 1) for camera in CAMERAS} == {0}
