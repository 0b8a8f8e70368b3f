"""What is found beside the gate is given behind it only."""

from __future__ import annotations

import asyncio

import pytest

from playback.gate import beside
from segments.errors import NotFound, Refused, TryAgain


async def test_nothing_is_given_before_the_gate_lets_it_pass() -> None:
    """Finding is over long before the act is written down; what was found waits for that."""
    written, found = asyncio.Event(), asyncio.Event()

    async def gate() -> None:
        await written.wait()

    async def finding() -> str:
        found.set()
        return "a playlist"

    answer = asyncio.create_task(beside(gate(), finding()))
    await found.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not answer.done()

    written.set()

    assert await answer == "a playlist"


@pytest.mark.parametrize("found", [None, NotFound("no footage here"), TryAgain("the index is away")])
async def test_the_gates_refusal_is_all_that_is_heard(found: Exception | None) -> None:
    """Whether there is any footage, and what is wrong with it, is not told to who may not see it; nothing goes on behind the refusal."""
    went_on = False

    async def gate() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise Refused("this needs a second person's consent")

    async def finding() -> None:
        nonlocal went_on
        if found is not None:
            raise found
        await asyncio.sleep(3600)
        went_on = True

    with pytest.raises(Refused, match="consent"):
        await beside(gate(), finding())

    assert not went_on
    assert len(asyncio.all_tasks()) == 1
