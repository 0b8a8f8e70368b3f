"""A segment cut at every byte offset gives back every whole fragment (promise R3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from recorder.repair import SegmentFormat, fmp4, repair
from segments.facts import read_facts
from segments.model import Run
from segments.segment_tail import read_tail
from tests.faults.truncate import CLIPS, decoded, failures, written
from tests.media import Clips

RUN = Run("gate", "home-a-1-1", 500, 2_000_000, b"init", "avc1", 320, 64, notes=("without sound",))


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: each offset is synced twice."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def changed(**fields: Any) -> SegmentFormat[Any]:
    """Real segments, read wrongly on purpose."""
    right = fmp4()
    return SegmentFormat(lambda data: replace(right.scan(data), **{name: change(data) for name, change in fields.items()}), right.tail)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_every_whole_fragment_comes_back_from_a_cut_at_any_byte(name: str, clips: Clips, fast: Path) -> None:
    """At each offset exactly the fragments that were whole are in the repaired segment, bit for bit, with a tail that tells of them."""
    whole = written(clips, CLIPS[name])

    assert len(whole.ends) == 2
    assert failures(whole, range(len(whole.data) + 1), fast, fmp4()) == []


def test_a_repair_that_keeps_the_torn_end_is_found_out(clips: Clips, fast: Path) -> None:
    """The control: not cutting back makes every such offset wrong."""
    whole = written(clips, CLIPS["h264"])
    offsets = range(whole.ends[0] + 1, whole.ends[1], 100)

    wrong = failures(whole, offsets, fast, changed(good_bytes=len))

    assert len(wrong) == len(offsets)


@pytest.mark.parametrize("name", CLIPS)
def test_libav_decodes_all_that_came_back(name: str, clips: Clips, tmp_path: Path) -> None:
    """Another reader finds each picture of the whole fragments undamaged, and no other."""
    whole = written(clips, CLIPS[name])
    part = tmp_path / "gate" / "home-a-1-1" / "1000.1.part"
    part.parent.mkdir(parents=True)
    for count, offset in ((1, whole.ends[0] + 1), (1, whole.ends[1] - 1), (2, whole.ends[1]), (2, len(whole.data) - 1)):
        part.write_bytes(whole.data[:offset])
        repaired = repair(part, fmp4())
        assert repaired is not None
        assert decoded(repaired.file.path) == whole.pictures[count - 1]
        repaired.file.path.unlink()


@pytest.mark.parametrize(("run", "run_start_us", "notes"), [(RUN, 500, RUN.notes), (None, 7_000_000, ())])
def test_a_repaired_segment_says_what_is_still_known_of_it(
    run: Run | None, run_start_us: int, notes: tuple[str, ...], clips: Clips, tmp_path: Path
) -> None:
    """Names come from the path, times from the fragments, the run from the index or else from media time; the clock is not vouched for."""
    whole = written(clips, CLIPS["h264"])
    part = tmp_path / "gate" / "home-a-1-1" / "7000000.3.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(whole.data[: whole.ends[0]])

    repaired = repair(part, fmp4(run))

    assert repaired is not None
    sealed = repaired.file.path.read_bytes()
    facts = read_facts(read_tail(sealed, len(sealed)).facts)
    assert (facts.camera, facts.run, facts.counter, facts.start_us, facts.end_us) == ("gate", "home-a-1-1", 3, 7_000_000, 7_666_666)
    assert (facts.run_start_us, facts.notes, facts.clock_synced) == (run_start_us, notes, False)
    assert (facts.width, facts.height, facts.codecs.split(".")[0]) == (320, 64, "avc1")
