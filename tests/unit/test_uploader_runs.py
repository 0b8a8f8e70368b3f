"""The ends of runs, in pool and index."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.run_end import mark_end
from segments.errors import TryAgain, Unknown
from segments.keys import SegmentKey
from segments.model import Cause
from tests.builders import RUN
from tests.fakes import a_sealed_file, keys_of
from tests.upload_node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_an_ended_run_is_closed_in_pool_and_index(node: Node) -> None:
    """An empty `_end` object at the end of the last sample, with the next counter and the cause; the run says ended and why."""
    made = [a_sealed_file(node.folder, counter=counter) for counter in range(2)]
    mark_end(node.folder, "gate", RUN, Cause.CAMERA_AWAY)

    await node.uploader.work()

    (end,) = [key for key in await keys_of(node.objects.inner) if key.endswith("_end")]
    assert end == str(SegmentKey("gate", RUN, made[-1].end_us, 2, is_end=True))
    info = await node.objects.inner.head(end)
    assert (info.size, info.attributes["end-cause"]) == (0, "camera-away")
    run = await node.index.inner.run("gate", RUN)
    assert (run.ended, run.end_cause, run.last_us) == (True, "camera-away", made[-1].end_us)
    assert list(node.folder.iterdir()) == []


async def test_a_run_is_not_closed_while_footage_of_it_waits(node: Node) -> None:
    """Its end is known only when its last segment is indexed."""
    bad = a_sealed_file(node.folder)
    bad.path.write_bytes(b"damaged")
    mark_end(node.folder, "gate", RUN, Cause.CAMERA_AWAY)

    await node.uploader.work()

    assert await keys_of(node.objects.inner) == []
    assert (bad.path.parent / "ended").exists()


async def test_a_run_without_footage_leaves_nothing(node: Node) -> None:
    """Neither object nor run."""
    (node.folder / "gate" / RUN).mkdir(parents=True)
    mark_end(node.folder, "gate", RUN, Cause.CAMERA_AWAY)

    await node.uploader.work()

    assert await keys_of(node.objects.inner) == []
    assert list(node.folder.iterdir()) == []


@pytest.mark.parametrize("call", ["put", "head", "run", "rows", "put_run"])
async def test_closing_a_run_may_be_cut_short_anywhere(node: Node, call: str) -> None:
    """And ends the same when it is done again; its retries wait too."""
    a_sealed_file(node.folder)
    await node.uploader.work()
    (node.folder / "gate" / RUN).mkdir(parents=True)
    mark_end(node.folder, "gate", RUN, Cause.CAMERA_AWAY)
    faults = (node.objects if call in ("put", "head") else node.index).fails_after
    faults[call] = Unknown("no answer") if call == "put" else TryAgain("cut short")

    await node.uploader.work()
    await node.uploader.work()
    node.clock.move(1)
    await node.uploader.work()

    assert len([key for key in await keys_of(node.objects.inner) if key.endswith("_end")]) == 1
    assert (await node.index.inner.run("gate", RUN)).ended
    assert node.left() == []


async def test_failing_to_close_a_run_becomes_an_alarm(node: Node) -> None:
    """Its failures are counted over passes, as those of segments are."""
    a_sealed_file(node.folder)
    await node.uploader.work()
    (node.folder / "gate" / RUN).mkdir(parents=True)
    mark_end(node.folder, "gate", RUN, Cause.CAMERA_AWAY)
    node.objects.before = lambda name: node.objects.fails.update(put=TryAgain("away")) if name == "put" else None
    for _ in range(4):
        await node.uploader.work()
        node.clock.move(60)

    assert node.uploader.alarms == ["1 waiting in the spool cannot be stored: away"]
