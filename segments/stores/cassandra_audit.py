"""The register in Cassandra: lines by chain, created by conditional writes, and their places by day and by camera.

Places are written first and hold nothing but where a line is; a place whose line is not there, or is another's, is passed over.
"""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Sequence
from datetime import date

from segments.audit_line import AuditPlace, Line, StoredLine, parse_line
from segments.clock import day_of
from segments.errors import BadInput, Conflict, DataDamaged, Unknown
from segments.patience import some_at_once
from segments.ports import Page
from segments.stores.cassandra_session import CassandraSession
from segments.stores.partitions import cut_page, month_of, one_chain, page_limit

PAGE_LINES = 10_000
"""Numbers of a chain that lie in one partition; never changed once lines are written."""
READS_AT_ONCE = 32
_NO_PAGE = 1 << 62
"""Above all pages."""
_BEFORE_ALL = AuditPlace(-1, "", 0)

_TAKE = "INSERT INTO audit_line (chain, page, number, body) VALUES (?, ?, ?, ?) IF NOT EXISTS"
_TAKEN = "SELECT number, body FROM audit_line WHERE chain = ? AND page = ? AND number >= ? AND number <= ?"
_BEHIND = "SELECT number, body FROM audit_line WHERE chain = ? AND page = ? AND number > ? LIMIT ?"
_LAST = "SELECT number, body FROM audit_line WHERE chain = ? AND page = ? ORDER BY number DESC LIMIT 1"
_ONE = "SELECT body FROM audit_line WHERE chain = ? AND page = ? AND number = ?"

_PUT_PAGE = "INSERT INTO audit_page (site, chain, page) VALUES (0, ?, ?)"
_PAGE_BEFORE = "SELECT page FROM audit_page WHERE site = 0 AND chain = ? AND page < ? LIMIT 1"
_PAGES_FROM = "SELECT page FROM audit_page WHERE site = 0 AND chain = ? AND page >= ?"
_CHAINS = "SELECT chain FROM audit_page WHERE site = 0 GROUP BY chain"

_PUT_DAY = "INSERT INTO audit_of_day (day, at_us, chain, number) VALUES (?, ?, ?, ?)"
_PUT_CAMERA = "INSERT INTO audit_of_camera (camera, month, at_us, chain, number) VALUES (?, ?, ?, ?, ?)"
_OF_DAY = "SELECT at_us, chain, number FROM audit_of_day WHERE day = ? AND (at_us, chain, number) > (?, ?, ?) LIMIT ?"
_OF_CAMERA = (
    "SELECT at_us, chain, number FROM audit_of_camera WHERE camera = ? AND month = ? AND (at_us, chain, number) > (?, ?, ?) LIMIT ?"
)


class CassandraAudit:
    """See `WriteAudit` and `ReadAudit` in segments/ports.py."""

    _session: CassandraSession
    _listed_audit: set[tuple[str, int]]

    # --- in

    async def put_audit(self, lines: Sequence[Line]) -> None:
        """See `WriteAudit`; raises BadInput for lines that do not follow each other. Unknown: it cannot be told what became of them.

        Lines that lie in two pages are written page by page: of those, the first page's may stay alone.
        """
        one_chain(lines)
        for page, some in itertools.groupby(lines, lambda line: line.number // PAGE_LINES):
            await self._put_lines(page, list(some))

    async def last_audit(self, chain: str) -> Line | None:
        """See `WriteAudit`: that of the last page that has any."""
        page = _NO_PAGE
        while found := await self._session.read(_PAGE_BEFORE, (chain, page)):
            page = found[0][0]
            last = await self._session.read_serial(_LAST, (chain, page))
            if last:
                return _line(chain, *last[0])
        return None

    async def _put_lines(self, page: int, lines: Sequence[Line]) -> None:
        chain = lines[0].chain
        await asyncio.gather(self._list_audit_page(chain, page), *(self._place_line(line) for line in lines))
        bodies = {line.number: zlib.compress(line.text.encode()) for line in lines}
        lost: Unknown | None = None
        try:
            if await self._session.compare_and_set_together(_TAKE, [(chain, page, *each) for each in bodies.items()]):
                return
        except Unknown as error:
            lost = error
        found: dict[int, bytes] = dict(await self._session.read_serial(_TAKEN, (chain, page, lines[0].number, lines[-1].number)))
        taken = [number for number, body in found.items() if body != bodies[number]]
        if taken:
            raise Conflict(f"chain {chain} has another line {taken[0]}")
        if found.keys() != bodies.keys():
            await self._rest_of_lines([line for line in lines if line.number not in found], lost)

    async def _rest_of_lines(self, lines: Sequence[Line], lost: Unknown | None) -> None:
        """The lines that are missing behind a part that was written before; if no answer came to them, that is raised."""
        if lost is not None:
            raise lost
        await self._put_lines(lines[0].number // PAGE_LINES, lines)

    async def _list_audit_page(self, chain: str, page: int) -> None:
        """Once a process; before anything is in it, so that whoever looks for the last line looks there."""
        if (chain, page) not in self._listed_audit:
            await self._session.write(_PUT_PAGE, (chain, page))
            self._listed_audit.add((chain, page))

    async def _place_line(self, line: Line) -> None:
        if line.act is not None:
            await self._session.write(_PUT_DAY, (day_of(line.at_us), *line.place))
        for camera in line.cameras:
            await self._session.write(_PUT_CAMERA, (camera, month_of(line.at_us), *line.place))

    # --- out

    async def audit_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[StoredLine, int]:
        """See `ReadAudit`. A body that cannot be unpacked is an empty text."""
        wanted = page_limit(limit) + 1
        found: list[StoredLine] = []
        for (page,) in reversed(await self._session.read(_PAGES_FROM, (chain, (after + 1) // PAGE_LINES))):
            rows = await self._session.read(_BEHIND, (chain, page, after, wanted - len(found)))
            found += [StoredLine(number, _text(body)) for number, body in rows]
            if len(found) == wanted:
                break
        return cut_page(found, limit, lambda line: line.number)

    async def audit_chains(self) -> Sequence[str]:
        """See `ReadAudit`; a chain whose first line was never written is left out."""
        chains = [chain for (chain,) in await self._session.read(_CHAINS)]
        begun = await some_at_once(lambda chain: self.audit_chain(chain, limit=1), chains, READS_AT_ONCE)
        return [chain for chain, page in zip(chains, begun, strict=True) if page.items]

    async def audit_of_day(self, day: date, *, after: AuditPlace | None = None, limit: int = 100) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        return await self._placed_lines(_OF_DAY, (day,), after, limit, "")

    async def audit_of_camera(
        self, camera: str, month: date, *, after: AuditPlace | None = None, limit: int = 100
    ) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        return await self._placed_lines(_OF_CAMERA, (camera, month), after, limit, camera)

    async def _placed_lines(
        self, query: str, key: Sequence[object], after: AuditPlace | None, limit: int, camera: str
    ) -> Page[Line, AuditPlace]:
        """The lines at the places of a partition, of this camera if it is given."""
        rows = await self._session.read(query, (*key, *(after or _BEFORE_ALL), page_limit(limit) + 1))
        page = cut_page([AuditPlace(*row) for row in rows], limit, lambda place: place)
        lines = await some_at_once(self._line_at, page.items, READS_AT_ONCE)
        return Page([line for line in lines if line is not None and (not camera or camera in line.cameras)], page.next)

    async def _line_at(self, place: AuditPlace) -> Line | None:
        found = await self._session.read(_ONE, (place.chain, place.number // PAGE_LINES, place.number))
        line = _line(place.chain, place.number, found[0][0]) if found else None
        return line if line is not None and line.place == place else None


def _text(body: bytes) -> str:
    try:
        return zlib.decompress(body).decode()
    except (zlib.error, UnicodeDecodeError):
        return ""


def _line(chain: str, number: int, body: bytes) -> Line:
    try:
        line = parse_line(_text(body))
    except BadInput as error:
        raise DataDamaged(f"line {number} of chain {chain} in the index is not as it was written: {error}") from None
    if (line.chain, line.number) != (chain, number):
        raise DataDamaged(f"line {number} of chain {chain} in the index is not as it was written: it says {line.chain} {line.number}")
    return line
