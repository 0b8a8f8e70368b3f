"""Spool to pool to row, over a real folder, a memory store and a memory index that fail when told to."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from recorder.run_end import mark_end
from recorder.spool_folder import remove, sealed_files, stubs
from recorder.uploader import LONGEST_WAIT_S, Uploader, UploadSettings
from segments.commit import CommitRules
from segments.errors import Conflict, Refused, TryAgain, Unknown
from segments.keys import SegmentKey
from segments.model import Cause
from tests.builders import NOON_US, RUN, a_batch, a_camera
from tests.clocks import HandClock
from tests.fakes import Died, ForeignObjects, Life, Sealed, SwitchedIndex, SwitchedObjects, a_sealed_file, keys_of, settled

DAY_US = 86_400_000_000


class Node:
    """A spool, a pool, an index, and the uploader between them."""

    def __init__(self, folder: Path, *, objects: SwitchedObjects | None = None, kind: type[Uploader] = Uploader) -> None:
        self.folder = folder
        self.kind = kind
        self.index = SwitchedIndex()
        self.objects = objects or SwitchedObjects()
        self.clock = HandClock(NOON_US + 120_000_000)
        self.rules = CommitRules()
        self.uploader = self.started()

    def started(self) -> Uploader:
        """A new uploader process."""
        self.uploader = self.kind(
            self.folder,
            pools={"main": self.objects},
            default_pool="main",
            index=self.index,
            clock=self.clock,
            settings=UploadSettings(rules=self.rules),
        )
        return self.uploader

    async def rows(self, camera: str = "gate") -> dict[str, str]:
        """Hash by key."""
        return {row.key: row.sha256 for row in (await self.index.inner.rows(camera, a_batch().day)).items}

    async def stored(self) -> dict[str, str]:
        """Hash of the real bytes by key, without the ends of runs."""
        keys = [key for key in await keys_of(self.objects.inner) if not key.endswith("_end")]
        return {key: hashlib.sha256(await self.objects.inner.get(key)).hexdigest() for key in keys}

    def left(self) -> list[str]:
        """Files in the spool."""
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def key_of(made: Sealed) -> str:
    return str(SegmentKey(made.camera, made.run, made.start_us, made.counter))


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
        default_pool="main",
        index=node.index,
        clock=node.clock,
        settings=UploadSettings(at_once=1),
    )
    made = [
        a_sealed_file(node.folder, camera=camera, start_us=NOON_US + second * 1_000_000)
        for camera, second in (("a", 8), ("b", 0), ("c", 4), ("d", 2))
    ]
    node.index.fails["publish"] = TryAgain("away")
    await node.uploader.work()  # the oldest is a stub now
    order = []
    node.objects.before = lambda name: None
    for file in made:
        a_sealed_file(node.folder, camera=file.camera, start_us=file.start_us + 60_000_000)
    head = node.objects.inner.head

    async def heard(key: str):
        order.append(key.split("/")[0])
        return await head(key)

    node.objects.inner.head = heard
    await node.uploader.work()

    assert order == ["b", "b", "d", "c", "a"]


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
    node.clock.move(1)
    await node.uploader.work()
    assert node.uploader.alarms == []
    assert node.left() == []


async def test_a_camera_has_its_own_pool(tmp_path: Path) -> None:
    """The row names the pool its object is in, also after a new start of the uploader, also for a camera that was removed."""
    node = Node(tmp_path)
    other = SwitchedObjects()
    await node.index.add_camera(a_camera("door", pool="other"))
    await node.index.add_camera(a_camera("gate"))
    for camera in ("door", "gate", "gone"):
        a_sealed_file(tmp_path, camera=camera)
    uploader = Uploader(tmp_path, pools={"main": node.objects, "other": other}, default_pool="main", index=node.index, clock=node.clock)

    await uploader.work()

    pools = {camera: [row.pool for row in (await node.index.rows(camera, a_batch().day)).items] for camera in ("door", "gate", "gone")}
    assert pools == {"door": ["other"], "gate": ["main"], "gone": ["main"]}
    assert [key.split("/")[0] for key in await keys_of(other.inner)] == ["door"]


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
    put = node.objects.inner.put

    async def slow(*arguments, **named):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        version = await put(*arguments, **named)
        under_way -= 1
        return version

    node.objects.inner.put = slow
    await node.uploader.work()

    assert most == 4
    assert len(await node.rows()) == 50


# --- ends of runs ---


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


async def test_a_hint_wakes_it(node: Node) -> None:
    """A sealed segment does not wait for the next look through the spool."""
    node.uploader = Uploader(
        node.folder,
        pools={"main": node.objects},
        default_pool="main",
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


# --- whatever happens ---


class Hasty(Uploader):
    """The rule broken on purpose: the spool file goes when the store has said yes, before the row is there."""

    async def _one(self, file):
        if file.kind == "mp4":
            data = file.path.read_bytes()
            key = str(SegmentKey(file.camera, file.run, file.start_us, file.counter))
            await self._pools["main"].put(key, data, sha256=hashlib.sha256(data).hexdigest(), attributes={})
            remove(file)
        await super()._one(file)


class Whatever(RuleBasedStateMachine):
    """Segments are sealed, store and index come and go and answer wrongly, the uploader dies between any two calls and starts again."""

    kind: type[Uploader] = Uploader
    folder: Path

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(type(self).base) / str(id(self))
        self.folder.mkdir()
        self.node = Node(self.folder, kind=self.kind)
        self.loop.run_until_complete(self.node.index.inner.add_camera(a_camera()))
        self.made: list[Sealed] = []

    def teardown(self) -> None:
        self.node.index.away = self.node.objects.away = False
        self.node.index.fails = self.node.index.fails_after = {}
        self.node.objects.fails, self.node.objects.fails_after = {}, {}
        self.node.started()
        try:
            rows, stored = self.loop.run_until_complete(self.settle())
        finally:
            self.loop.close()
        assert stored == rows == {key_of(each): each.sha256 for each in self.made}
        assert self.node.left() == []
        assert self.node.uploader.alarms == []

    async def settle(self) -> tuple[dict[str, str], dict[str, str]]:
        for _ in range(3):
            self.node.clock.move(60)
            await self.node.uploader.work()
        return await self.all()

    async def all(self) -> tuple[dict[str, str], dict[str, str]]:
        return await self.node.rows(), await self.node.stored()

    @precondition(lambda self: len(self.made) < 6)
    @rule()
    def sealed(self) -> None:
        self.made.append(a_sealed_file(self.folder, counter=len(self.made), seconds=2))

    @rule(index=st.booleans(), objects=st.booleans())
    def switch(self, index: bool, objects: bool) -> None:
        self.node.index.away, self.node.objects.away = index, objects

    @rule(call=st.sampled_from(["put", "head"]), error=st.sampled_from([TryAgain, Unknown, Conflict]), after=st.booleans())
    def store_fault(self, call: str, error: type[Exception], after: bool) -> None:
        if error is Conflict and not (after and call == "put"):
            return
        (self.node.objects.fails_after if after else self.node.objects.fails)[call] = error("by chance")

    @rule(call=st.sampled_from(["batch", "put_run", "publish", "camera"]), after=st.booleans())
    def index_fault(self, call: str, after: bool) -> None:
        (self.node.index.fails_after if after else self.node.index.fails)[call] = TryAgain("by chance")

    @rule(calls=st.one_of(st.none(), st.integers(1, 12)), seconds=st.sampled_from([0, 1, 60]))
    def work(self, calls: int | None, seconds: int) -> None:
        self.node.clock.move(seconds)
        self.node.index.life = self.node.objects.life = Life(calls)
        try:
            self.loop.run_until_complete(self.node.uploader.work())
        except (Died, BaseExceptionGroup):
            self.node.started()
        self.node.index.life = self.node.objects.life = Life()

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each segment is in the spool, or as a stub beside its object, or as object and row; and no row is without its object."""
        rows, stored = self.loop.run_until_complete(self.all())
        assert set(rows) <= set(stored)
        assert all(stored[key] == sha256 for key, sha256 in rows.items())
        for each in self.made:
            key = key_of(each)
            stub = each.path.with_suffix(".stub").exists() and key in stored
            assert each.path.exists() or stub or (key in stored and key in rows)


SEARCH = settings(max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def test_whatever_happens_each_segment_ends_as_one_object_and_one_row(tmp_path: Path) -> None:
    """And no file leaves the spool before both are there, or its object and its stub."""
    run_state_machine_as_test(type("Faithful", (Whatever,), {"base": tmp_path}), settings=SEARCH)


def test_an_uploader_that_removes_early_is_found(tmp_path: Path) -> None:
    """Negative control: the same search over an uploader that lets the file go before the row is there ends red."""
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(
            type("Early", (Whatever,), {"base": tmp_path, "kind": Hasty}), settings=settings(SEARCH, phases=[Phase.generate])
        )
