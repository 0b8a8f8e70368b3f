"""Runs in Cassandra: whole in every camera-month of their footage, found by id through their start.

No reading before writing, and no conditional writes: a run is written with each commit. What may not move back is kept so by how it is
written (docs/adr/0014): an end is only ever written as true, and the last moment with itself as the time of the write.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date

from segments.errors import NotFound
from segments.model import Run
from segments.ports import Page
from segments.stores.cassandra_session import UNSET, CassandraSession, Found, Values
from segments.stores.partitions import month_of, months_of_run, page_limit, run_cursor

FACTS_AGAIN_S = 600.0
"""After so long a run's facts (its init segment, 1-4 kB) are written once more; in between, only what each commit changes."""
_REMEMBERED = 10_000

_RUN = "camera, run, start_us, last_us, top_us, init, codecs, width, height, ended, end_cause, notes"
_PUT_START = "INSERT INTO run_start (camera, run, start_us) VALUES (?, ?, ?)"
_START = "SELECT start_us FROM run_start WHERE camera = ? AND run = ? LIMIT 1"
_PUT_RUN = (
    "INSERT INTO run_in_month (camera, month, start_us, run, last_us, ended, end_cause, init, codecs, width, height, notes) "
    f"VALUES ({'?, ' * 11}?)"
)
_PUT_TOP = "UPDATE run_in_month USING TIMESTAMP ? SET top_us = ? WHERE camera = ? AND month = ? AND start_us = ? AND run = ?"
_RUNS = f"SELECT {_RUN} FROM run_in_month WHERE camera = ? AND month = ? AND (start_us, run) > (?, ?) LIMIT ?"
_ONE_RUN = f"SELECT {_RUN} FROM run_in_month WHERE camera = ? AND month = ? AND start_us = ? AND run = ?"

_Facts = tuple[object, ...]


@dataclass(slots=True)
class _Written:
    """What this process has written of a run: its start, and its facts in which months, and when."""

    start_us: int
    facts: _Facts = ()
    months: tuple[date, ...] = ()
    at_s: float = 0.0


class CassandraRuns:
    """See `Runs` in segments/ports.py."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._written: OrderedDict[tuple[str, str], _Written] = OrderedDict()

    async def put_run(self, run: Run) -> None:
        """See `Runs`. Of what else two writes say, the newest counts."""
        known = await self._known(run)
        facts = (run.init, run.codecs, run.width, run.height, run.notes)
        months = tuple(months_of_run(run))
        now_s = self._session.now_s()
        again = facts != known.facts or now_s - known.at_s > FACTS_AGAIN_S
        for month in months:
            whole = again or month not in known.months
            await self._put_in_month(run, known.start_us, month, facts if whole else (UNSET,) * len(facts))
        known.facts, known.months = facts, months
        known.at_s = now_s if again else known.at_s

    async def run(self, camera: str, run_id: str) -> Run:
        """See `Runs`."""
        started = await self._session.read(_START, (camera, run_id))
        if started:
            (start_us,) = started[0]
            found = await self._session.read(_ONE_RUN, (camera, month_of(start_us), start_us, run_id))
            if found and _is_whole(found[0]):
                return _run(found[0])
        raise NotFound(f"camera {camera} has no run {run_id}")

    async def runs(self, camera: str, month: date, *, after: str = "", limit: int = 1000) -> Page[Run, str]:
        """See `Runs`."""
        start_us, _, run_id = after.partition("/")
        size = page_limit(limit)
        found = await self._session.read(_RUNS, (camera, month, int(start_us or -1), run_id, size + 1))
        runs = [_run(values) for values in found[:size] if _is_whole(values)]
        return Page(runs, run_cursor(_run(found[size - 1])) if len(found) > size else None)

    async def _known(self, run: Run) -> _Written:
        """What was written of the run; its start is read (or written, where there is none) the first time this process meets it."""
        known = self._written.get((run.camera, run.id))
        if known is None:
            started = await self._session.read(_START, (run.camera, run.id))
            if not started:
                await self._session.write(_PUT_START, (run.camera, run.id, run.start_us))
            known = _Written(started[0][0] if started else run.start_us)
            self._written[run.camera, run.id] = known
            if len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
        return known

    async def _put_in_month(self, run: Run, start_us: int, month: date, facts: _Facts) -> None:
        place = (run.camera, month, start_us, run.id)
        ended, cause = run.ended or UNSET, run.end_cause or UNSET
        writes: list[tuple[str, Values]] = [
            (_PUT_RUN, (*place, run.last_us, ended, cause, *facts)),
            (_PUT_TOP, (run.last_us, run.last_us, *place)),
        ]
        await self._session.write_together(writes)


def _is_whole(values: Found) -> bool:
    """Whether there is a run; a last moment of the future may outlive the deletion of the rest."""
    return values[5] is not None


def _run(values: Found) -> Run:
    camera, run, start_us, last_us, top_us, init, codecs, width, height, ended, end_cause, notes = values
    last = max(moment for moment in (last_us, top_us, start_us) if moment is not None)
    return Run(camera, run, start_us, last, init, codecs, width, height, bool(ended), end_cause or "", tuple(notes or ()))
