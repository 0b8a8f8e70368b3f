"""What every index promises of the register, clause by clause of segments/ports.py."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from segments.access import Role, Subject
from segments.audit import Action, Outcome
from segments.audit_line import Line, StoredLine, Tie, parse_line, tie_behind
from segments.clock import US_PER_DAY, US_PER_S, day_of
from segments.errors import BadInput, Conflict
from segments.ports import Index
from tests.audit_builders import an_act, some_lines
from tests.builders import NOON_US
from tests.contract.index_footage_contract import all_pages

DAY = day_of(NOON_US)
MONTH = DAY.replace(day=1)


async def chain_of(index: Index, chain: str, limit: int = 1000) -> list[Line]:
    """All lines of a chain, page by page."""
    stored = await all_pages(index.audit_chain, chain, first={"after": 0}, cursor="after", limit=limit)
    return [parse_line(line.text) for line in stored]


class AuditContract:
    """`WriteAudit` and `ReadAudit`."""

    async def test_a_line_is_read_back_whole(self, index: Index, second: Index) -> None:
        """Every field comes back, through any door and every way to it; an act without cameras or span, and a tie too."""
        bare = an_act(who=Subject("", ""), cameras=(), span=None, action=Action.SIGN_IN, outcome=Outcome.REFUSED, detail="wrong password")
        many = an_act(cameras=("gate", "yard", "gate"), who=Subject("oidc:x#1", "O'Neil\n", "所", frozenset(Role)), source="2001:db8::1")
        lines = some_lines(1)
        lines += some_lines(1, last=lines[-1], **{name: getattr(bare, name) for name in bare.__slots__})
        lines += some_lines(1, last=lines[-1], **{name: getattr(many, name) for name in many.__slots__})
        lines.append(tie_behind("api.a", lines[-1], NOON_US, [Tie("api.b", 7, "0" * 64)]))
        assert await index.last_audit("api.a") is None
        await index.put_audit(lines)
        assert await second.last_audit("api.a") == lines[-1]
        assert await chain_of(second, "api.a") == lines
        assert (await second.audit_chain("api.a", limit=1)).items == [StoredLine(1, lines[0].text)]
        assert sorted((await second.audit_of_day(DAY)).items, key=lambda line: line.number) == lines[:3]
        assert list((await second.audit_of_camera("yard", MONTH)).items) == [lines[2]]

    async def test_a_number_is_given_once(self, index: Index) -> None:
        """Lines may be written again, also some of them and with more behind; another line of a number is a Conflict, and nothing of it is
        written."""
        lines = some_lines(5)
        for some in (lines[:2], lines[:2], lines[1:4], lines, lines[:1]):
            await index.put_audit(some)
        others = some_lines(3, last=lines[2], what="forged", cameras=("yard",))
        for some in (others[:1], others):
            with pytest.raises(Conflict):
                await index.put_audit(some)
        assert await chain_of(index, "api.a") == lines
        assert (await index.audit_of_camera("yard", MONTH)).items == []
        assert await index.last_audit("api.a") == lines[-1]

    async def test_of_many_racing_writers_one_has_the_numbers(self, index: Index, second: Index) -> None:
        """Two processes of one name never both write line n, nor does one get a part of what it wrote."""
        wanted = [some_lines(1 + n % 3, what=f"by {n}") for n in range(6)]
        done = await asyncio.gather(*((index, second)[n % 2].put_audit(some) for n, some in enumerate(wanted)), return_exceptions=True)
        assert [type(each) for each in done if each is not None] == [Conflict] * 5
        (winner,) = (some for some, each in zip(wanted, done, strict=True) if each is None)
        assert await chain_of(second, "api.a") == winner

    async def test_lines_of_one_write_follow_each_other(self, index: Index) -> None:
        """Those of two chains, out of order or none at all are refused."""
        lines = some_lines(3)
        for some in ([], lines[::-1], [lines[0], lines[2]], [lines[0], some_lines(2, chain="api.b")[1]]):
            with pytest.raises(BadInput):
                await index.put_audit(some)
        assert await index.audit_chains() == []

    @pytest.mark.parametrize("limit", [1, 5, 12, 100])
    async def test_pages_leave_nothing_out(self, index: Index, limit: int) -> None:
        """Of a chain in order of number; of a day and a camera in order of time, then of chain and number, equal times among them."""
        ours, theirs = some_lines(12), some_lines(4, chain="api.b", at_us=NOON_US + 3 * US_PER_S)
        await index.put_audit(ours)
        await index.put_audit(theirs)
        assert await chain_of(index, "api.a", limit) == ours
        assert (await index.audit_chain("api.a", after=12, limit=limit)).items == []
        expected = sorted([*ours, *theirs], key=lambda line: line.place)
        assert await all_pages(index.audit_of_day, DAY, first={}, cursor="after", limit=limit) == expected
        assert await all_pages(index.audit_of_camera, "gate", MONTH, first={}, cursor="after", limit=limit) == expected

    async def test_acts_are_found_by_the_time_they_were_done(self, index: Index) -> None:
        """On its UTC day and in its month, to the microsecond; another camera's are not among them."""
        midnight = NOON_US - NOON_US % US_PER_DAY
        (before,) = some_lines(1, at_us=midnight - 1)
        lines = [before, *some_lines(1, last=before, at_us=midnight)]
        lines += some_lines(1, last=lines[-1], at_us=midnight + US_PER_DAY - 1, cameras=("yard",))
        lines += some_lines(1, last=lines[-1], at_us=midnight + US_PER_DAY)
        await index.put_audit(lines)
        days = [day_of(midnight - 1), DAY, day_of(midnight + US_PER_DAY)]
        assert [list((await index.audit_of_day(day)).items) for day in days] == [lines[:1], lines[1:3], lines[3:]]
        assert list((await index.audit_of_camera("yard", MONTH)).items) == [lines[2]]
        assert (await index.audit_of_camera("yard", date(2025, 3, 1))).items == []

    async def test_chains_are_known(self, index: Index, second: Index) -> None:
        """All of them, each once, in order of name; each has its own end."""
        assert list(await index.audit_chains()) == []
        for chain in ("cli.b", "api.节点", "api.a"):
            await second.put_audit(some_lines(2, chain=chain))
        assert list(await index.audit_chains()) == ["api.a", "api.节点", "cli.b"]
        last = await index.last_audit("cli.b")
        assert last is not None
        assert last.number == 2
