"""What follows from an answer to a webhook: told, tried again, given up, or the whole address waits. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from segments.clock import US_PER_HOUR, US_PER_S

WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200)
"""Before each further try of an event; after the last one it is a dead letter. 8 tries in a little under 4 h."""
AWAY_WAITS_S = (5, 15, 30, 60, 120, 300, 600)
"""Before an address that does not answer is tried again, with one event; the last wait goes on."""
PAUSED_AFTER_US = 72 * US_PER_HOUR
"""An address that took nothing for so long is paused until an administrator resumes it."""
JITTER = 0.2
_AWAY = frozenset({408, 425, 429, 502, 503, 504})


class Fate(StrEnum):
    """What an answer means."""

    TOLD = "told"
    AWAY = "away"
    """Nobody took it, and it is not the event's fault."""
    FAILED = "failed"
    GONE = "gone"
    """The receiver wants nothing any more (410)."""


class Answer(NamedTuple):
    """What came back: a status (0: none), and in a few words why not, without anything the receiver wrote."""

    status: int
    said: str = ""
    connected: bool = True


def fate(answer: Answer) -> Fate:
    """2xx is told; no connection, 429 and 502-504 are away; 410 is gone. All else is the event's failure, no answer in time too."""
    if 200 <= answer.status < 300:
        return Fate.TOLD
    if answer.status == 410:
        return Fate.GONE
    return Fate.AWAY if not answer.connected or answer.status in _AWAY else Fate.FAILED


def wait_us(attempts: int, jitter: float) -> int | None:
    """How long to wait after so many tries of an event; None: it is given up. `jitter` in 0 to 1."""
    if attempts > len(WAITS_S):
        return None
    return round(WAITS_S[attempts - 1] * (1 + JITTER * jitter) * US_PER_S)


def away_wait_us(times: int, jitter: float) -> int:
    """How long an address is left alone that did not answer so many times in a row."""
    return round(AWAY_WAITS_S[min(times, len(AWAY_WAITS_S)) - 1] * (1 + JITTER * jitter) * US_PER_S)
