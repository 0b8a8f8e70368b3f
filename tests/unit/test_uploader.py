"""Spool to pool to row, over a real folder, a memory store and a memory index that fail when told to."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from recorder.spool_folder import sealed_files, stubs
from recorder.uploader import LONGEST_WAIT_S, Uploader, UploadSettings
from recorder.watched_index import AGAIN_S
from segments.commit import CommitRules
from segments.errors import Refused, TryAgain
from segments.pools import PoolRules, PoolState
from tests.builders import NOON_US, a_camera
from tests.fakes import ForeignObjects, a_sealed_file, settled
from tests.upload_node import ONE_POOL, Node, key_of


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_a_sealed_segment_ends_as_object_and_row(node: Node) -> None:
    """Byte for byte, with its hash in the row; nothing is left in the spool, its folders neither."""
    made = a_sealed_file(node.folder)

    await node.uploader.work()

    assert await node.stored() == await node.rows() == {key_of(made): made.sha256}
    assert list(node.folder.iterdir()) == []
    assert (node.uploader.stored, node.uploader.indexed) == (made.fragments, made.fragments)
    assert node.uploader.alarms == []


async def test_the_oldest_goes_first_also_over_cameras_and_stubs(node: Node) -> None:
    """What is nearest to being lost by a full disk, and longest missed by those who look, is first."""
    node.uploader = Uploader(
        node.folder,
        pools={"main": node.objects},
        rules=ONE_POOL,
        index=node.index,
        clock=node.clock,
        settings=UploadSettings(at_once=1),
    )
    a_sealed_file(node.folder, camera="b", start_us=NOON_US)
    node.index.fails["publish"] = TryAgain("away")
    await node.uploader.work()  # the oldest is a stub now
    node.clock.move(AGAIN_S)
    order = []
    node.objects.before = lambda name: None
    for camera, second in (("a", 8), ("c", 4), ("d", 2), ("b", 60)):
        a_sealed_file(node.folder, camera=camera, start_us=NOON_US + second * 1_000_000)
    head = node.objects.inner.head

    async def heard(key: str):
        order.append(key.split("/")[0])
        return await head(key)

    node.objects.inner.head = heard
    await node.uploader.work()

    assert order == ["b", "d", "c", "a", "b"]


@pytest.mark.parametrize("name", ["put", "head"])
async def test_what_fails_is_tried_again_ever_more_rarely(node: Node, name: str) -> None:
    """Waits double from 1 s to 60 s, and passes in between leave the store alone; the alarm comes after some failures and goes again."""
    made = a_sealed_file(node.folder)
    waits, alarmed = [], []
    for _ in range(9):
        node.objects.fails[name] = TryAgain("the store is away")
        before = node.clock.passed_ns
        while name in node.objects.fails:
            await node.uploader.work()
            node.clock.move(0.5)
        waits.append((node.clock.passed_ns - before) / 1e9 - 0.5)
        alarmed.append(bool(node.uploader.alarms))

    assert waits == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 59.5, 59.5])
    assert alarmed == [False, False, False, True, True, True, True, True, True]
    assert made.path.exists()
    node.clock.move(LONGEST_WAIT_S)
    await node.uploader.work()
    assert node.uploader.alarms == []
    assert await node.rows() == {key_of(made): made.sha256}


async def test_a_refusal_is_an_alarm_at_once(node: Node) -> None:
    """Wrong keys do not get right by waiting; one alarm stands for all that wait for the same reason."""
    for counter in range(3):
        a_sealed_file(node.folder, counter=counter)
    node.objects.before = lambda name: node.objects.fails.update(put=Refused("the pool refuses the key"))

    await node.uploader.work()

    assert node.uploader.alarms == ["3 waiting in the spool cannot be stored: the pool refuses the key"]


async def test_a_pool_that_is_not_configured_is_named(node: Node) -> None:
    """The footage waits, and the alarm says which pool is missing."""
    await node.index.add_camera(a_camera(pool="archive"))
    made = a_sealed_file(node.folder)

    await node.uploader.work()

    (alarm,) = node.uploader.alarms
    assert "pool 'archive'" in alarm
    assert made.path.exists()
    node.uploader._pools = {"main": node.objects, "archive": node.objects}
    node.uploader._rules = PoolRules({"main": PoolState.OPEN, "archive": PoolState.OPEN}, "main")
    node.clock.move(1)
    await node.uploader.work()
    assert node.uploader.alarms == []
    assert node.left() == []


async def test_an_unknown_pool_is_not_guessed(node: Node) -> None:
    """A new uploader while the index is away does not know a camera's pool: a guess could store footage twice, so it waits."""
    await node.index.inner.add_camera(a_camera())
    made = a_sealed_file(node.folder)
    node.index.away = True

    await node.uploader.work()

    assert await node.stored() == {}
    assert made.path.exists()


async def test_one_damaged_file_stops_nothing(node: Node) -> None:
    """It stays, with an alarm that names it; all others go up."""
    bad = a_sealed_file(node.folder, counter=0)
    bad.path.write_bytes(bad.data[:-100])
    good = a_sealed_file(node.folder, counter=1)

    await node.uploader.work()

    assert await node.rows() == {key_of(good): good.sha256}
    assert bad.path.exists()
    assert len(node.uploader.alarms) == 1
    bad.path.write_bytes(bad.data)
    node.clock.move(1)
    await node.uploader.work()
    assert node.uploader.alarms == []
    assert len(await node.rows()) == 2


async def test_a_file_under_a_wrong_name_is_not_believed(node: Node) -> None:
    """The facts in a file must be those of its place in the spool."""
    made = a_sealed_file(node.folder)
    made.path.rename(made.path.with_name(f"{made.start_us}.7.mp4"))

    await node.uploader.work()

    assert "says that it is segment 0" in node.uploader.alarms[0]
    assert await node.stored() == {}


async def test_a_fault_of_ours_in_one_file_stops_no_other(node: Node) -> None:
    """An error nobody foresaw is said and tried again; the other uploads of the same moment are not cut off."""
    for counter in range(3):
        a_sealed_file(node.folder, counter=counter)
    node.objects.fails["put"] = ZeroDivisionError("a bug")

    await node.uploader.work()

    assert len(await node.rows()) == 2
    assert "ZeroDivisionError" in node.uploader.alarms[0]
    node.clock.move(1)
    await node.uploader.work()
    assert len(await node.rows()) == 3
    assert node.uploader.alarms == []


async def test_other_content_under_the_key_is_an_alarm(node: Node) -> None:
    """Nothing is overwritten, nothing thrown away."""
    made = a_sealed_file(node.folder)
    await node.objects.inner.put(key_of(made), b"other", sha256=hashlib.sha256(b"other").hexdigest(), attributes={})

    await node.uploader.work()

    assert "other content" in node.uploader.alarms[0]
    assert made.path.exists()


async def test_a_store_that_loses_what_it_was_given(tmp_path: Path) -> None:
    """The object has another hash than was sent: the spool file stays, a person is told."""
    node = Node(tmp_path, objects=ForeignObjects())
    made = a_sealed_file(tmp_path)

    await node.uploader.work()

    assert "not what was sent" in node.uploader.alarms[0]
    assert made.path.exists()
    assert await node.rows() == {}


async def test_without_the_index_footage_shrinks_to_a_stub(node: Node) -> None:
    """The bytes go to the pool and the disk gets room; when the index is back the row follows, with the same hash."""
    await node.index.inner.add_camera(a_camera())
    first = a_sealed_file(node.folder, counter=0)
    await node.uploader.work()
    made = a_sealed_file(node.folder, counter=1)
    node.index.away = True

    await node.uploader.work()

    assert node.left() == [f"{made.start_us}.1.stub"]
    assert made.path.with_suffix(".stub").stat().st_size < len(made.data)
    assert set(await node.stored()) == {key_of(first), key_of(made)}
    assert (node.uploader.stored, node.uploader.indexed) == (2 * made.fragments, made.fragments)

    node.index.away = False
    node.clock.move(1)
    await node.uploader.work()
    assert node.left() == []
    assert await node.rows() == await node.stored()
    assert node.uploader.indexed == 2 * made.fragments


@pytest.mark.parametrize("spoil", ["gone", "other"])
async def test_a_stub_whose_object_is_not_as_it_was_gets_no_row(node: Node, spoil: str) -> None:
    """A stub is a promise; where the pool does not keep it there is an alarm and no row that lies."""
    await node.index.inner.add_camera(a_camera())
    made = a_sealed_file(node.folder)
    node.index.fails["publish"] = TryAgain("away")
    await node.uploader.work()
    await node.objects.inner.delete([key_of(made)])
    if spoil == "other":
        await node.objects.inner.put(key_of(made), b"other", sha256=hashlib.sha256(b"other").hexdigest(), attributes={})

    node.clock.move(1)
    await node.uploader.work()

    assert await node.rows() == {}
    assert ("any more" if spoil == "gone" else "not what was stored") in node.uploader.alarms[0]
    assert len(stubs(node.folder)) == 1


async def test_stub_and_file_together_are_one_segment(node: Node) -> None:
    """A crash between the steps of shrinking leaves both; they end as one object and one row."""
    await node.index.inner.add_camera(a_camera())
    made = a_sealed_file(node.folder)
    node.index.fails["publish"] = TryAgain("away")
    await node.uploader.work()
    made.path.write_bytes(made.data)

    node.clock.move(1)
    await node.uploader.work()

    assert node.left() == []
    assert await node.rows() == await node.stored() == {key_of(made): made.sha256}


async def test_old_footage_waits_for_the_index(node: Node) -> None:
    """It may be in a batch, so it stays whole in the spool."""
    node.rules = CommitRules(young_us=0)
    node.started()
    made = a_sealed_file(node.folder)
    node.index.before = lambda name: node.index.fails.update(batch=TryAgain("away")) if name == "batch" else None

    await node.uploader.work()

    assert made.path.exists()
    assert await node.stored() == {}


async def test_a_full_store_keeps_footage_in_the_spool(node: Node) -> None:
    """And all of it is there when there is room again."""
    made = [a_sealed_file(node.folder, counter=counter) for counter in range(4)]
    node.objects.before = lambda name: node.objects.fails.update(put=TryAgain("no space")) if name == "put" else None
    await node.uploader.work()
    assert len(sealed_files(node.folder)) == 4

    node.objects.before = lambda _: None
    node.objects.fails.clear()
    node.clock.move(1)
    await node.uploader.work()
    assert await node.rows() == {key_of(each): each.sha256 for each in made}


async def test_two_uploaders_at_once_do_no_harm(node: Node) -> None:
    """Each file ends as one object and one row, whoever was faster, and neither cries."""
    made = [a_sealed_file(node.folder, counter=counter) for counter in range(6)]
    one, two = node.uploader, node.started()

    await asyncio.gather(one.work(), two.work())
    node.clock.move(1)
    await asyncio.gather(one.work(), two.work())

    assert await node.rows() == await node.stored() == {key_of(each): each.sha256 for each in made}
    assert node.left() == []
    assert one.alarms == two.alarms == []


async def test_no_more_than_a_few_at_once(node: Node) -> None:
    """Fifty files, at most four under way."""
    for counter in range(50):
        a_sealed_file(node.folder, counter=counter, seconds=2)
    under_way, most = 0, 0
    four = asyncio.Event()
    put = node.objects.inner.put

    async def slow(*arguments, **named):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 4:
            four.set()
        await asyncio.wait_for(four.wait(), 60)
        version = await put(*arguments, **named)
        under_way -= 1
        return version

    node.objects.inner.put = slow
    await node.uploader.work()

    assert most == 4
    assert len(await node.rows()) == 50


async def test_a_hint_wakes_it(node: Node) -> None:
    """A sealed segment does not wait for the next look through the spool."""
    node.uploader = Uploader(
        node.folder,
        pools={"main": node.objects},
        rules=ONE_POOL,
        index=node.index,
        clock=node.clock,
        settings=UploadSettings(scan_s=3600),
    )
    working = asyncio.create_task(node.uploader.run())
    await settled()
    made = a_sealed_file(node.folder)
    node.uploader.hint()
    for _ in range(200):
        await settled()
        if not made.path.exists():
            break
    working.cancel()

    assert await node.rows() == {key_of(made): made.sha256}


async def test_the_last_work_waits_for_no_turn(node: Node) -> None:
    """What failed a moment ago is tried once more before the process ends: an orderly stop leaves no footage behind that could go."""
    made = a_sealed_file(node.folder)
    node.objects.fails["put"] = TryAgain("away")
    await node.uploader.work()
    node.objects.fails.clear()
    await node.uploader.work()  # it is not its turn yet
    assert await node.stored() == {}

    await node.uploader.work_at_last()

    assert await node.stored() == await node.rows() == {key_of(made): made.sha256}
