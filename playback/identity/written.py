"""Changing a record of people and keys, whoever else changes it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segments.errors import Conflict
from segments.ports import Records
from segments.record import Record

_TRIES = 8

Values = dict[str, Any]


async def changed(records: Records, kind: str, record_id: str, change: Callable[[Values], Values]) -> Record:
    """The record after a change that was written; `change` may be asked again on newer values, and raise.

    Raises NotFound where there is none, Conflict where others were faster again and again.
    """
    for _ in range(_TRIES):
        present = await records.record(kind, record_id)
        wanted = present.changed(change(present.values))
        try:
            await records.put_record(wanted)
        except Conflict:
            continue
        return wanted
    raise Conflict(f"{kind} {record_id} is changed by others again and again: look at it, and try again")
