"""What consumers took: requests, and seconds and bytes of footage played and exported, a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Used:
    """What one consumer took. `refused` of its requests were over its limits, or the service's; they are in `requests` too."""

    requests: int = 0
    refused: int = 0
    played_s: float = 0.0
    played_bytes: int = 0
    exported_s: float = 0.0
    exported_bytes: int = 0

    def add(self, other: Used) -> None:
        """Adds what was taken elsewhere."""
        self.requests += other.requests
        self.refused += other.refused
        self.played_s += other.played_s
        self.played_bytes += other.played_bytes
        self.exported_s += other.exported_s
        self.exported_bytes += other.exported_bytes


def used_values(used: Mapping[str, Used]) -> dict[str, Any]:
    """By consumer, as a record has it; seconds in milliseconds' precision."""
    return {who: {name: round(value, 3) for name, value in asdict(one).items()} for who, one in sorted(used.items())}


def used_of(values: Mapping[str, Any]) -> dict[str, Used]:
    """What `used_values` made."""
    return {who: Used(**one) for who, one in values.items()}


def summed(parts: Iterable[Mapping[str, Used]]) -> dict[str, Used]:
    """By consumer, over all parts."""
    total: dict[str, Used] = {}
    for part in parts:
        for who, one in part.items():
            total.setdefault(who, Used()).add(one)
    return total
