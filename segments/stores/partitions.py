"""How values fall into partitions, the same in every index: camera-days, camera-months, areas, pages, and what two writes of a run make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from segments.audit_line import Line
from segments.clock import day_of
from segments.errors import BadInput
from segments.model import Footage, Partition, Row, RowPosition, Run
from segments.ports import Page

T = TypeVar("T")
C = TypeVar("C")

MAX_PAGE = 10_000
"""The most a page holds, whatever was asked for; its cursor says that there is more."""


def month_of(us: int) -> date:
    """The first day of the UTC month a moment lies in."""
    return day_of(us).replace(day=1)


def months_of_run(run: Run) -> list[date]:
    """The UTC months in which a run is listed: from its start to the last moment of its footage (`last_us` is the first one after it)."""
    month, last = month_of(run.start_us), month_of(max(run.start_us, run.last_us - 1))
    months = [month]
    while month < last:
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        months.append(month)
    return months


def run_cursor(run: Run) -> str:
    """The place of a run in its camera-month: texts in the order of (start, id)."""
    return f"{run.start_us:020d}/{run.id}"


def merge_run(known: Run | None, written: Run) -> Run:
    """What is stored after a run is written over what is known of it.

    Its start stays, its last moment never moves back, its end and the cause of that stay; all else is as written.
    """
    if known is None:
        return written
    return replace(
        written,
        start_us=known.start_us,
        last_us=max(known.last_us, written.last_us),
        ended=known.ended or written.ended,
        end_cause=written.end_cause or known.end_cause,
    )


def areas_around(area: str) -> list[str]:
    """An area and all areas it lies in, the whole archive ('') first: `a/b` lies in '', `a` and `a/b`."""
    parts = area.split("/") if area else []
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def footage_page(found: Sequence[tuple[int, str, int, int, str]], limit: int) -> Page[Footage, RowPosition]:
    """The page out of (start, run, counter, end, codecs) of rows, of which one more than `page_limit(limit)` was looked for."""
    page = cut_page(found, limit, lambda one: RowPosition(*one[:3]))
    return Page([Footage(start_us, end_us, run, codecs) for start_us, run, _, end_us, codecs in page.items], page.next)


def partition_cursor(partition: Partition) -> str:
    """The place of a partition among those that are kept in order: see `parse_partition`."""
    return f"{partition.camera}/{partition.date.isoformat()}"


def parse_partition(cursor: str) -> Partition:
    """The partition a cursor stands for; of an empty cursor, one before all. Raises BadInput for a text that is no cursor."""
    camera, _, day = cursor.rpartition("/")
    try:
        return Partition(camera, date.fromisoformat(day) if cursor else date.min)
    except ValueError:
        raise BadInput(f"{cursor!r} is no place in a listing of partitions") from None


def one_day(rows: Sequence[Row]) -> None:
    """Raises BadInput unless all rows are of one camera-day."""
    days = {(row.camera, row.day) for row in rows}
    if len(days) > 1:
        names = ", ".join(f"{camera} {day}" for camera, day in sorted(days)[:3])
        raise BadInput(f"rows of {len(days)} camera-days in one write ({names}...); write each camera-day by itself")


def one_chain(lines: Sequence[Line]) -> str:
    """The chain of lines of the register; raises BadInput unless they are of one and follow each other, or if there are none."""
    if not lines or any((line.chain, line.number) != (lines[0].chain, lines[0].number + n) for n, line in enumerate(lines)):
        raise BadInput("lines of the register are written some that follow each other in one chain")
    return lines[0].chain


def page_limit(limit: int) -> int:
    """How many items a page holds; raises BadInput below 1."""
    if limit < 1:
        raise BadInput(f"a page of {limit} items; ask for 1 to {MAX_PAGE}")
    return min(limit, MAX_PAGE)


def cut_page(found: Sequence[T], limit: int, cursor: Callable[[T], C]) -> Page[T, C]:
    """The page out of what was found, of which one more than `page_limit(limit)` was looked for."""
    size = page_limit(limit)
    items = found[:size]
    return Page(items, cursor(items[-1]) if len(found) > size else None)
