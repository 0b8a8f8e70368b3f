"""When connections are read and looked after: all of a process together, at a steady interval."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from recorder.sources.poller import Poller
from recorder.sources.rtsp import until_step


class CountingConnection:
    """Counts its visits, and does something on the n-th."""

    def __init__(self, on_visit=lambda n: None):
        self.visits = 0
        self.times_s: list[float] = []
        self._on_visit = on_visit

    def visit(self, buffer: memoryview) -> None:
        self.visits += 1
        self.times_s.append(asyncio.get_running_loop().time())
        self._on_visit(self.visits)


async def test_all_connections_are_visited_in_one_go():
    """Each connection is visited once an interval, and all of them in the same wake-up."""
    poller, done = Poller(interval_s=0.01), asyncio.Event()
    connections = [CountingConnection() for _ in range(20)]
    connections.append(CountingConnection(lambda n: done.set() if n == 5 else None))
    for connection in connections:
        poller.add(connection)
    await asyncio.wait_for(done.wait(), 10)
    assert {connection.visits for connection in connections} == {5}
    first, last = connections[0].times_s, connections[-1].times_s
    assert all(later - earlier < 0.5 for earlier, later in zip(first, last, strict=True))
    assert last[-1] - last[0] >= 0.03


async def test_a_removed_connection_is_visited_no_more():
    """A connection that removes itself in its own visit, as a broken one does, is left alone, and the others go on."""
    poller, done = Poller(interval_s=0.01), asyncio.Event()
    leaving = CountingConnection(lambda n: poller.remove(leaving) if n == 2 else None)
    staying = CountingConnection(lambda n: done.set() if n == 4 else None)
    poller.add(leaving)
    poller.add(staying)
    await asyncio.wait_for(done.wait(), 10)
    assert leaving.visits == 2


async def test_an_idle_poller_sets_no_timer_and_wakes_up_again():
    """With its last connection gone it stops; a new one starts it anew."""
    poller, done = Poller(interval_s=0.01), asyncio.Event()
    only = CountingConnection(lambda n: poller.remove(only))
    poller.add(only)
    while poller._timer is not None:  # noqa: ASYNC110 - it has nobody to tell
        await asyncio.sleep(0.005)
    poller.add(CountingConnection(lambda n: done.set()))
    await asyncio.wait_for(done.wait(), 10)


@given(st.floats(0, 1e8), st.floats(0.25, 60))
def test_watchers_of_one_step_meet(now_s: float, step_s: float):
    """The wait ends at a multiple of the step, and is never longer than a step and the timer's error."""
    wait_s = until_step(now_s, step_s)
    assert 0 < wait_s <= step_s + 0.02
    remainder = (now_s + wait_s) % step_s
    assert min(remainder, step_s - remainder) < 1e-5


@given(st.integers(1, 10**6), st.floats(-0.005, 0.2))
def test_a_timer_that_ends_early_costs_no_second_look(number: int, late_s: float):
    """Woken a little before or after its moment, a watcher waits for the next one, about a step later."""
    assert until_step(number * 2.5 + late_s, 2.5) > 2.2
