"""How much one consumer may ask for: the settings' default, and what was set for some. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any

from segments.errors import BadInput
from segments.record import Record

QUOTA = "quota"
"""The kind of the records of what was set for some."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of one consumer in one process of the API; 0: no limit. Export hours count over all processes."""

    requests_per_s: float = 100.0
    """Twice as many may come at once."""
    streams: int = 32
    """Cameras and places in time that are played at once."""
    bytes_per_s: int = 125_000_000
    """Of footage; long answers are paced to it."""
    export_hours_per_day: float = 240.0
    timeline_days_per_minute: float = 4000.0

    def __post_init__(self) -> None:
        """Raises BadInput for what is less than nothing."""
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise BadInput(f"{name} is 0 (no limit) or more, not {value}")


UNLIMITED = Allowance(0.0, 0, 0, 0.0, 0.0)
NAMES = tuple(one.name for one in fields(Allowance))


def quota_id(subject_id: str) -> str:
    """The id of the record of a subject."""
    return hashlib.sha256(subject_id.encode()).hexdigest()[:24]


def quota_values(subject_id: str, limits: dict[str, float], by: str) -> dict[str, Any]:
    """What a record says; raises BadInput for a limit there is not."""
    unknown = sorted(set(limits) - set(NAMES))
    if unknown:
        raise BadInput(f"there is no limit {', '.join(unknown)}; there are {', '.join(NAMES)}")
    Allowance(**limits)  # type: ignore[arg-type]
    return {"subject": subject_id, "limits": limits, "by": by}


def allowance_of(default: Allowance, record: Record | None) -> Allowance:
    """The default with what was set for somebody."""
    if record is None:
        return default
    found = {name: value for name, value in record.values["limits"].items() if name in NAMES}
    return Allowance(**asdict(default) | found)
