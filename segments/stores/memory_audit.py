"""The register in dicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from segments.audit_line import AuditPlace, Line, StoredLine
from segments.clock import day_of
from segments.errors import Conflict
from segments.ports import Page
from segments.stores.partitions import cut_page, month_of, one_chain, page_limit


class MemoryAudit:
    """See `WriteAudit` and `ReadAudit` in segments/ports.py."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, dict[int, Line]] = defaultdict(dict)

    async def put_audit(self, lines: Sequence[Line]) -> None:
        """See `WriteAudit`; raises BadInput for lines that do not follow each other."""
        chain = one_chain(lines)
        present = self._lines[chain]
        for line in lines:
            if present.get(line.number, line) != line:
                raise Conflict(f"chain {chain} has another line {line.number}")
        present.update({line.number: line for line in lines})

    async def last_audit(self, chain: str) -> Line | None:
        """See `WriteAudit`."""
        found = self._lines.get(chain)
        return found[max(found)] if found else None

    async def audit_chain(self, chain: str, *, after: int = 0, limit: int = 100) -> Page[StoredLine, int]:
        """See `ReadAudit`."""
        behind = [StoredLine(number, line.text) for number, line in sorted(self._lines.get(chain, {}).items()) if number > after]
        return cut_page(behind[: page_limit(limit) + 1], limit, lambda line: line.number)

    async def audit_chains(self) -> Sequence[str]:
        """See `ReadAudit`."""
        return sorted(chain for chain, found in self._lines.items() if found)

    async def audit_of_day(self, day: date, *, after: AuditPlace | None = None, limit: int = 100) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        return _placed((line for line in self._acts() if day_of(line.at_us) == day), after, limit)

    async def audit_of_camera(
        self, camera: str, month: date, *, after: AuditPlace | None = None, limit: int = 100
    ) -> Page[Line, AuditPlace]:
        """See `ReadAudit`."""
        return _placed((line for line in self._acts() if camera in line.cameras and month_of(line.at_us) == month), after, limit)

    def _acts(self) -> Iterable[Line]:
        return (line for chain in self._lines.values() for line in chain.values() if line.act is not None)


def _placed(lines: Iterable[Line], after: AuditPlace | None, limit: int) -> Page[Line, AuditPlace]:
    behind = sorted((line for line in lines if after is None or line.place > after), key=lambda line: line.place)
    return cut_page(behind[: page_limit(limit) + 1], limit, lambda line: line.place)
