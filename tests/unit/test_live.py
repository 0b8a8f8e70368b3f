"""The live edge over a real spool folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recorder.link import Durable
from recorder.live import LiveEdge
from recorder.run_end import mark_end
from recorder.sealed import read_sealed, write_stub
from recorder.session import RunAbout
from recorder.spool_folder import SpoolKind, shrink_to_stub, spool_file
from segments.errors import NotFound
from segments.model import Cause, Fragment, RowPosition
from tests.builders import CODECS, NOON_US, RUN
from tests.fakes import Sealed, a_sealed_file

ABOUT = RunAbout(NOON_US, CODECS, 1920, 1080, ())


class Growing:
    """A segment that is written and made durable piece by piece, as a recorder does it."""

    def __init__(self, folder: Path, **fields: object) -> None:
        self.folder = folder
        self.made: Sealed = a_sealed_file(folder, **fields)
        self.fragments: tuple[Fragment, ...] = read_sealed(self.made.path, pool="main").row.fragments
        self.part = self.made.path.with_suffix(".part")
        self.made.path.rename(self.part)
        self.position = RowPosition(self.made.start_us, RUN, self.made.counter)

    def durable(self, first: int, last: int) -> Durable:
        """The recorder's word: fragments from `first` to before `last` are durable."""
        end_us = self.made.start_us + last * 2_000_000
        return Durable("gate", RUN, self.made.counter, self.made.start_us, end_us, ABOUT, self.fragments[first:last])

    def seal(self) -> None:
        self.part.rename(self.made.path)

    def stub(self) -> None:
        segment = read_sealed(self.made.path, pool="main")
        file = spool_file(self.made.path)
        assert file is not None
        shrink_to_stub(file, write_stub(segment, replace(segment.row, version="v1")))


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    return Growing(tmp_path, seconds=8)


@pytest.fixture
def live(tmp_path: Path) -> LiveEdge:
    return LiveEdge(tmp_path)


async def test_only_what_is_acknowledged_is_seen(growing: Growing, live: LiveEdge) -> None:
    """The file is whole on the disk; the row ends with the second fragment, and no byte behind it is given out."""
    live.durable(growing.durable(0, 2))

    (found,) = await live.segments("gate")

    end = growing.fragments[1].offset + growing.fragments[1].length
    assert found.row.fragments == growing.fragments[:2]
    assert (found.row.size, found.row.end_us, found.row.pool, found.row.sha256) == (end, NOON_US + 4_000_000, "", "")
    assert await live.read("gate", growing.position, 0, 10**9) == growing.made.data[:end]
    assert await live.read("gate", growing.position, end, 10**9) == b""


async def test_a_segment_nobody_speaks_for_is_not_shown(growing: Growing, live: LiveEdge) -> None:
    """How much of it is durable is not known."""
    assert await live.segments("gate") == []
    with pytest.raises(NotFound):
        await live.read("gate", growing.position, 0, 100)


async def test_it_grows(growing: Growing, live: LiveEdge) -> None:
    """Each word adds its fragments; the init segment is the file's own beginning, for the whole run."""
    for n in range(4):
        live.durable(growing.durable(n, n + 1))

    (found,) = await live.segments("gate")

    assert found.row.fragments == growing.fragments
    assert found.run.init == growing.made.data[: growing.fragments[0].offset]


async def test_a_reconnect_gives_all_again(growing: Growing, live: LiveEdge) -> None:
    """Said twice it is there once, and an uploader that starts anew knows all of it."""
    live.durable(growing.durable(0, 2))
    live.durable(growing.durable(0, 3))
    fresh = LiveEdge(growing.folder)
    fresh.durable(growing.durable(0, 3))

    assert [s.row.fragments for s in await live.segments("gate")] == [growing.fragments[:3]]
    assert await fresh.segments("gate") == await live.segments("gate")


async def test_a_segment_is_there_once_through_its_whole_life(growing: Growing, live: LiveEdge) -> None:
    """Open, sealed before and after its recorder says so, as a stub, and gone when it is indexed: never twice, never missing."""
    seen = []

    async def look() -> None:
        seen.append([(s.row.run, s.row.counter, s.row.pool, bool(s.row.sha256)) for s in await live.segments("gate")])

    live.durable(growing.durable(0, 4))
    await look()
    growing.seal()
    await look()
    live.closed("gate", RUN, 0)
    await look()
    growing.stub()
    await look()
    growing.made.path.with_suffix(".stub").unlink()
    live.forget_gone()
    await look()

    assert seen == [[(RUN, 0, "", False)]] * 3 + [[(RUN, 0, "main", True)], []]


class Moving(LiveEdge):
    """A live edge under which something happens between its look at the open segments and its look at the disk, or behind the latter."""

    def __init__(self, folder: Path, before=lambda: None, after=lambda: None) -> None:
        super().__init__(folder)
        self.before, self.after = before, after

    def _on_disk(self, camera: str):
        self.before()
        return super()._on_disk(camera)

    def _known(self, file):
        self.after()
        self.after = lambda: None
        return super()._known(file)


async def test_sealed_in_between_it_is_there_once(growing: Growing, tmp_path: Path) -> None:
    """The recorder seals and says so while somebody asks."""

    def seal() -> None:
        growing.seal()
        live.closed("gate", RUN, 0)

    live = Moving(tmp_path, before=seal)
    live.durable(growing.durable(0, 4))

    assert [s.row.fragments for s in await live.segments("gate")] == [growing.fragments]


async def test_stored_in_between_it_is_there_once(growing: Growing, tmp_path: Path) -> None:
    """A sealed file becomes a stub after it was listed."""
    growing.seal()
    live = Moving(tmp_path, after=growing.stub)

    assert [s.row.pool for s in await live.segments("gate")] == ["main"]


async def test_sealed_and_uploaded_in_between_it_is_shown_from_memory(growing: Growing, tmp_path: Path) -> None:
    """It was open when the look began, so it is shown; whoever reads the index afterwards finds it there too and drops this one."""

    def all_at_once() -> None:
        growing.seal()
        live.closed("gate", RUN, 0)
        growing.made.path.unlink()

    live = Moving(tmp_path, before=all_at_once)
    live.durable(growing.durable(0, 4))

    assert len(await live.segments("gate")) == 1


async def test_bytes_are_read_through_the_sealing(growing: Growing, live: LiveEdge) -> None:
    """A reader that knows the open segment gets the same bytes when it is sealed, whether its recorder has said so or not."""
    live.durable(growing.durable(0, 4))
    start, end = growing.fragments[1].offset, growing.fragments[2].offset
    expected = growing.made.data[start:end]

    assert await live.read("gate", growing.position, start, end) == expected
    growing.seal()
    assert await live.read("gate", growing.position, start, end) == expected
    live.closed("gate", RUN, 0)
    assert await live.read("gate", growing.position, start, end) == expected
    growing.made.path.unlink()
    with pytest.raises(NotFound):
        await live.read("gate", growing.position, start, end)


async def test_a_word_about_a_file_that_is_gone_is_ignored(growing: Growing, live: LiveEdge) -> None:
    """Sealed, or torn: the open segment is not invented."""
    growing.part.unlink()
    live.durable(growing.durable(0, 2))

    assert await live.segments("gate") == []


async def test_a_torn_segment_is_shown_no_more(growing: Growing, live: LiveEdge) -> None:
    """Until it is repaired."""
    live.durable(growing.durable(0, 2))
    growing.part.rename(growing.part.with_name(f"{NOON_US}.0.5000.torn"))

    assert await live.segments("gate") == []


async def test_only_this_camera_in_order_of_time(live: LiveEdge, tmp_path: Path) -> None:
    """Sealed, open and stubbed segments of one camera; other cameras, marks and damaged files are passed over."""
    made = [a_sealed_file(tmp_path, counter=counter) for counter in (3, 0, 1)]
    made[2].path.write_bytes(b"damaged")
    a_sealed_file(tmp_path, camera="door")
    mark_end(tmp_path, "gate", RUN, Cause.CAMERA_AWAY)

    assert [s.row.counter for s in await live.segments("gate")] == [0, 3]
    assert await live.segments("nobody") == []


async def test_what_went_is_forgotten(growing: Growing, live: LiveEdge) -> None:
    """Memory holds no more than the spool does."""
    live.durable(growing.durable(0, 2))
    other = a_sealed_file(growing.folder, counter=5)
    await live.segments("gate")
    assert (len(live._open), len(live._sealed)) == (1, 1)

    live.forget_gone()
    assert (len(live._open), len(live._sealed)) == (1, 1)
    growing.part.unlink()
    other.path.unlink()
    live.forget_gone()
    assert (len(live._open), len(live._sealed)) == (0, 0)


async def test_a_sealed_file_is_read_once(live: LiveEdge, tmp_path: Path) -> None:
    """Asked each second, the edge does not read tails again."""
    made = a_sealed_file(tmp_path)
    first = await live.segments("gate")
    made.path.write_bytes(b"changed")  # never happens; shows that it is not read

    assert await live.segments("gate") == first
    assert str(SpoolKind.SEALED) == "mp4"
