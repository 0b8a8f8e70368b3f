"""Exports written to files: they play, their manifest says what they are, and a failure leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from deploy.export import export_footage
from deploy.wiring import Stores
from playback.problems import NoFootage
from segments.clock import US_PER_S, day_of
from segments.errors import BadInput, TryAgain
from segments.model import Span
from segments.stores.memory_index import MemoryIndex
from tests.builders import NOON_US, a_camera
from tests.fakes import SwitchedObjects
from tests.footage import Take, recorded
from tests.media import Clips, frame_numbers
from tests.stored import probe

FPS = 25


class Archive:
    """A camera with footage: 8 s from noon on, and, after a codec change, 4 s of H.265."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.objects = SwitchedObjects()
        self.stores = Stores(self.index, {"main": self.objects})
        self.objects.get = self.get
        self.objects.stream = self.stream
        self.broken_after = -1

    async def fill(self, clips: Clips) -> None:
        await self.index.add_camera(a_camera())
        await recorded(self.index, self.objects.inner, clips.get(seconds=8), Take(start_us=NOON_US, segment_s=3))
        change = Take(start_us=NOON_US + 10 * US_PER_S, run="home-a-1-2")
        await recorded(self.index, self.objects.inner, clips.get(codec="h265", seconds=4), change)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Breaks off after so many reads."""
        self._count()
        return await self.objects.inner.get(key, start, end)

    async def stream(self, key: str, start: int = 0, end: int | None = None):
        """The same for pieces."""
        async for piece in self.objects.inner.stream(key, start, end):
            self._count()
            yield piece

    def _count(self) -> None:
        if self.broken_after == 0:
            raise TryAgain("the pool went away")
        self.broken_after -= 1

    async def export(self, start_s: float, end_s: float, file: Path):
        span = Span(NOON_US + round(start_s * US_PER_S), NOON_US + round(end_s * US_PER_S))
        return await export_footage(self.stores, "gate", span, file)


@pytest.fixture
async def archive(clips: Clips) -> Archive:
    found = Archive()
    await found.fill(clips)
    return found


async def test_the_file_holds_the_pictures_of_the_span(archive: Archive, tmp_path: Path) -> None:
    """Every picture asked for is decoded, in order and once; it begins with a key frame, at most a GOP before the span."""
    (written,) = await archive.export(2, 7, tmp_path / "gate.mp4")

    numbers = frame_numbers(written.path)
    wanted = list(range(2 * FPS, 7 * FPS))
    assert [number for number in numbers if number in wanted] == wanted
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert wanted[0] - numbers[0] <= FPS
    assert written.size_bytes == written.path.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate.mp4", "gate.mp4.json"]


@pytest.mark.server
async def test_a_third_party_reads_it_without_a_word(archive: Archive, tmp_path: Path) -> None:
    """ffprobe finds the codec and has nothing to say."""
    (written,) = await archive.export(0, 8, tmp_path / "gate.mp4")

    assert probe(written.path) == {"video": "h264"}


async def test_the_manifest_names_what_the_file_is_made_of(archive: Archive, tmp_path: Path) -> None:
    """Camera, span and each segment by key and hash, as JSON."""
    (written,) = await archive.export(0, 8, tmp_path / "gate.mp4")

    text = written.manifest.read_text(encoding="utf-8")
    rows = (await archive.index.rows("gate", day_of(NOON_US))).items
    assert json.loads(text)
    assert all(row.key in text and row.sha256 in text for row in rows if row.run == "home-a-1-1")


async def test_a_change_of_codec_makes_two_files(archive: Archive, tmp_path: Path) -> None:
    """Numbered in order, each playable by itself."""
    written = await archive.export(0, 20, tmp_path / "gate.mp4")

    assert [item.path.name for item in written] == ["gate-1.mp4", "gate-2.mp4"]
    assert [len(frame_numbers(item.path)) for item in written] == [8 * FPS, 4 * FPS]
    codecs = []
    for item in written:
        with av.open(item.path) as container:
            codecs.append(container.streams.video[0].codec_context.name)
    assert codecs == ["h264", "hevc"]
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("name", ["gate-1.mp4", "gate-2.mp4", "gate-2.mp4.json"])
async def test_nothing_is_overwritten(archive: Archive, tmp_path: Path, name: str) -> None:
    """Neither a file nor a manifest; and then nothing else is written."""
    (tmp_path / name).write_text("mine")

    with pytest.raises(BadInput, match="there already"):
        await archive.export(0, 20, tmp_path / "gate.mp4")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


@pytest.mark.parametrize("pieces", range(8))
async def test_a_failure_leaves_nothing(archive: Archive, tmp_path: Path, pieces: int) -> None:
    """The pool goes away after some reads, of tails, in the first or in the second file: neither is there, whole or half."""
    archive.broken_after = pieces

    with pytest.raises(TryAgain):
        await archive.export(0, 20, tmp_path / "gate.mp4")
    assert list(tmp_path.iterdir()) == []

    archive.broken_after = -1
    assert len(await archive.export(0, 20, tmp_path / "gate.mp4")) == 2


async def test_a_folder_that_is_not_there_is_bad_input(archive: Archive, tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(BadInput, match="No such file"):
        await archive.export(0, 8, tmp_path / "no" / "gate.mp4")


async def test_a_full_disk_leaves_nothing(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of all renames fails: what was renamed before it goes too."""
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if target.name == "gate-2.mp4":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(BadInput, match="No space left"):
        await archive.export(0, 20, tmp_path / "gate.mp4")
    assert list(tmp_path.iterdir()) == []


async def test_a_span_without_footage_says_why(archive: Archive, tmp_path: Path) -> None:
    """And writes nothing."""
    with pytest.raises(NoFootage):
        await archive.export(100, 200, tmp_path / "gate.mp4")
    assert list(tmp_path.iterdir()) == []
