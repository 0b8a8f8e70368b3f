"""The writing side of the spool: what happens at its limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.spool import OpenSegment, Spool, SpoolFull, SpoolLimit
from recorder.spool_folder import check_spool, open_parts
from segments.clock import SystemClock

RUN = "home-a-1-1"
ROOMY = SpoolLimit(max_bytes=1 << 30, min_free_bytes=0)


class HandClock(SystemClock):
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def monotonic_ns(self) -> int:
        return self.ns


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    check_spool(made, min_free_bytes=0)
    return made


def begun(spool: Spool, camera: str = "gate", counter: int = 1, start_us: int = 1000) -> OpenSegment:
    return spool.begin(camera, RUN, counter, start_us, b"header")


def test_a_full_spool_refuses_before_it_writes(folder: Path) -> None:
    """Bytes over the limit leave the segment as it was; it can still be sealed, out of the space kept back."""
    spool = Spool(folder, limit=SpoolLimit(max_bytes=20, min_free_bytes=0))
    segment = begun(spool)

    with pytest.raises(SpoolFull, match="full"):
        segment.append(b"x" * 15)

    assert segment.path.read_bytes() == b"header"
    segment.seal(b"t" * 100)
    assert segment.path.stat().st_size == 106


def test_a_full_spool_takes_bytes_again_when_there_is_room(folder: Path) -> None:
    """After files are removed the question for room, asked each second, lets appending go on by itself."""
    clock = HandClock()
    limit_bytes = 64 << 10
    spool = Spool(folder, limit=SpoolLimit(limit_bytes, 0), clock=clock)
    old = begun(spool)
    old.append(b"x" * (60 << 10))
    segment = begun(spool, "yard")
    with pytest.raises(SpoolFull):
        segment.append(b"y" * (10 << 10))
    with pytest.raises(SpoolFull):
        segment.append(b"y")  # refused until the question for room is answered with yes

    old.path.unlink()
    clock.ns += 1_000_000_000

    assert spool.has_room(10 << 10)
    segment.append(b"y" * (10 << 10))


def test_room_is_kept_free_on_the_disk(folder: Path) -> None:
    """Footage never takes the bytes of the disk that are kept back."""
    spool = Spool(folder, limit=SpoolLimit(1 << 60, 1 << 60))

    assert not spool.has_room(1)
    with pytest.raises(SpoolFull, match="kept back"):
        begun(spool)
    assert open_parts(folder) == []


def test_what_others_write_is_counted_in_time(folder: Path) -> None:
    """Another recorder's bytes are unknown for 30 s at most."""
    clock = HandClock()
    spool = Spool(folder, limit=SpoolLimit(100 << 10, 0), clock=clock)
    begun(Spool(folder, limit=ROOMY)).append(b"x" * (200 << 10))

    assert spool.has_room(1)
    clock.ns += 30_000_000_000
    assert not spool.has_room(1)
