"""An index that is away holds nobody up: it is asked once a moment, and everything else is answered at once."""

from __future__ import annotations

import asyncio

import pytest

from recorder.watched_index import AGAIN_S, WatchedIndex
from segments.errors import TryAgain
from tests.clocks import HandClock


class Hanging:
    """An index whose calls wait for a word: an error, or None."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[None]] = []

    async def batch(self) -> str:
        """A call."""
        self.asked.append(asyncio.get_running_loop().create_future())
        await self.asked[-1]
        return "answer"


async def _asked(index: Hanging, times: int) -> None:
    while len(index.asked) < times:  # noqa: ASYNC110 - one turn of the loop at a time
        await asyncio.sleep(0)


async def test_while_one_call_tries_all_others_are_answered_at_once() -> None:
    """After a failure only one call at a time waits for an index that hangs; its answer opens the way for all."""
    index, clock = Hanging(), HandClock()
    watched = WatchedIndex(index, clock)
    first = asyncio.ensure_future(watched.batch())
    await _asked(index, 1)
    index.asked[0].set_exception(TryAgain("away"))
    with pytest.raises(TryAgain, match="away"):
        await first
    with pytest.raises(TryAgain, match="a moment ago"):
        await watched.batch()
    clock.move(AGAIN_S)
    trying = asyncio.ensure_future(watched.batch())
    await _asked(index, 2)
    for _ in range(3):
        with pytest.raises(TryAgain, match="a moment ago"):
            await watched.batch()
    index.asked[1].set_result(None)
    assert await trying == "answer"
    assert not watched.silent
    again = asyncio.ensure_future(watched.batch())
    await _asked(index, 3)
    index.asked[2].set_result(None)
    assert await again == "answer"


async def test_a_try_that_is_given_up_leaves_the_way_to_the_next() -> None:
    """A cancelled call is no answer, and nobody waits for it."""
    index, clock = Hanging(), HandClock()
    watched = WatchedIndex(index, clock)
    for cancel in (False, True, False):
        clock.move(AGAIN_S)
        call = asyncio.ensure_future(watched.batch())
        asked = len(index.asked) + 1
        await _asked(index, asked)
        if cancel:
            call.cancel()
        else:
            index.asked[-1].set_exception(TryAgain("away"))
        await asyncio.wait((call,))
    assert len(index.asked) == 3
