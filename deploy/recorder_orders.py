"""All a recorder process is told on its command line: no path of a store, no key."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.logs import LogFormat


@dataclass(frozen=True, slots=True)
class RecorderOrders:
    """See the module. Times are seconds; `networks` are those cameras may be in, as text."""

    name: str
    socket: str
    spool: str
    max_bytes: int
    min_free_bytes: int
    segment_s: int
    silence_s: float
    networks: tuple[str, ...]
    allow_loopback: bool
    log_format: str = LogFormat.TEXT
