"""The register as a process writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from playback.register import GROUP_LINES, MAX_WAITING, ChainRegister
from segments.audit_line import Line, parse_line
from segments.errors import Refused, TryAgain, Unknown
from segments.stores.memory_index import MemoryIndex
from tests.api import StandingClock
from tests.audit_builders import an_act, some_lines

CLOCK = StandingClock(1_000_000)


async def lines_of(index: MemoryIndex, chain: str = "api.a") -> list[Line]:
    """All of a chain."""
    return [parse_line(line.text) for line in (await index.audit_chain(chain, limit=10_000)).items]


class Counted(MemoryIndex):
    """Counts writes, each of which takes a turn of the loop, and fails as it is told: before it has written, or after."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.before: Exception | None = None
        self.after: Exception | None = None

    async def put_audit(self, lines: Sequence[Line]) -> None:
        """See `WriteAudit`."""
        self.writes += 1
        await asyncio.sleep(0)
        if self.before is not None:
            raise self.before
        await super().put_audit(lines)
        if self.after is not None:
            raise self.after


async def test_acts_that_come_together_are_one_write() -> None:
    """Each has its line, in the order they came, in a whole chain; a write waits for no others when it is alone."""
    index = Counted()
    register = ChainRegister(index, "api.a", CLOCK)
    await register.write(an_act(what="first"))
    await asyncio.gather(*(register.write(an_act(what=str(n))) for n in range(GROUP_LINES + 1)))
    lines = await lines_of(index)
    assert [line.act.what for line in lines if line.act] == ["first", *map(str, range(GROUP_LINES + 1))]
    assert [line.previous for line in lines] == ["", *(line.digest for line in lines[:-1])]
    assert index.writes == 3


async def test_a_chain_goes_on_over_the_life_of_a_process() -> None:
    """The next one writes behind the last line."""
    index = MemoryIndex()
    await ChainRegister(index, "api.a", CLOCK).write(an_act())
    await ChainRegister(index, "api.a", CLOCK).write(an_act())
    assert [line.number for line in await lines_of(index)] == [1, 2]


async def test_two_processes_of_one_name_share_a_chain() -> None:
    """Whoever finds its number taken reads on and writes behind it: no act is lost, and the chain is whole."""
    index = MemoryIndex()
    both = [ChainRegister(index, "api.a", CLOCK) for _ in range(2)]
    for n in range(10):
        await both[n % 2].write(an_act(what=str(n)))
    lines = await lines_of(index)
    assert [line.act.what for line in lines if line.act] == list(map(str, range(10)))
    assert [line.previous for line in lines[1:]] == [line.digest for line in lines[:-1]]


async def test_what_cannot_be_written_is_told() -> None:
    """The index is away: all who wait are told to try again, and later acts go on behind what is there."""
    index = Counted()
    register = ChainRegister(index, "api.a", CLOCK)
    await register.write(an_act(what="first"))
    index.before = TryAgain("no server answers")
    failed = await asyncio.gather(*(register.write(an_act()) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [TryAgain] * 3
    assert "no server answers" in str(failed[0])
    index.before = None
    await register.write(an_act(what="second"))
    assert [line.act.what for line in await lines_of(index) if line.act] == ["first", "second"]


async def test_a_write_whose_answer_was_lost_harms_nothing() -> None:
    """It may stand there; the next one is behind it, in a whole chain."""
    index = Counted()
    register = ChainRegister(index, "api.a", CLOCK)
    index.after = Unknown("no answer came")
    with pytest.raises(TryAgain):
        await register.write(an_act(what="maybe"))
    index.after = None
    await register.write(an_act(what="sure"))
    lines = await lines_of(index)
    assert [line.act.what for line in lines if line.act] == ["maybe", "sure"]
    assert lines[1].previous == lines[0].digest


async def test_a_refusal_is_not_called_passing() -> None:
    """Rights that are missing are for a person to look at."""
    index = Counted()
    index.before = Refused("no right to write")
    with pytest.raises(Refused):
        await ChainRegister(index, "api.a", CLOCK).write(an_act())


async def test_the_queue_is_bounded() -> None:
    """One act more than may wait is refused at once; those that wait are written."""
    index = Counted()
    register = ChainRegister(index, "api.a", CLOCK)
    done = await asyncio.gather(*(register.write(an_act()) for _ in range(MAX_WAITING + 1)), return_exceptions=True)
    assert [type(each) for each in done[-2:]] == [type(None), TryAgain]
    assert "wait to be written" in str(done[-1])
    assert len(await lines_of(index)) == MAX_WAITING


async def test_a_tie_names_the_ends_of_the_other_chains() -> None:
    """Once for each end: chains that stand still are not named again."""
    index = MemoryIndex()
    register = ChainRegister(index, "api.a", CLOCK)
    await register.tie()
    assert await lines_of(index) == []
    cli = some_lines(2, chain="cli.a")
    await index.put_audit(cli)
    await register.write(an_act())
    for _ in range(2):
        await register.tie()
    lines = await lines_of(index)
    assert [(tie.chain, tie.number, tie.digest) for tie in lines[1].ties] == [("cli.a", 2, cli[-1].digest)]
    assert len(lines) == 2
    await index.put_audit(some_lines(1, chain="cli.a", last=cli[-1]))
    await register.tie()
    assert [tie.number for tie in (await lines_of(index))[2].ties] == [3]
