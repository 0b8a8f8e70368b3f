"""Whatever happens, each sealed segment ends as exactly one object and one row: a search over faults, deaths and delays."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from recorder.spool_folder import remove
from recorder.uploader import Uploader
from segments.errors import Conflict, TryAgain, Unknown
from segments.keys import SegmentKey
from tests.builders import a_camera
from tests.fakes import Died, Life, Sealed, a_sealed_file
from tests.upload_node import Node, key_of


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
        self.folder = Path(tempfile.mkdtemp(dir=type(self).base))
        self.node = Node(self.folder, kind=self.kind, at_once=1)  # so that a run can be repeated
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
        for _ in range(6):
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
