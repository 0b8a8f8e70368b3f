"""What this node's uploader has committed lately, as it happens, for who asks again and again: a ring of so many, each with its number.

Footage that copies bring here is not among it: it was committed at its source before, and who copies from several sites asks each of them.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from itertools import islice

from segments.clock import Clock
from segments.model import Row

MOST = 16_384
"""So many commits are remembered: of 256 cameras those of an hour."""
MOST_TOLD = 4096
"""So many are told at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """Commits in their order, the first of them number `first`; `[camera, start_us, run, counter, committed_us]` each.

    `boot` names the process, whose numbers begin at 0; `since_us`: from then on none is missing that this process committed.
    """

    boot: str
    first: int
    since_us: int
    commits: list[tuple[str, int, str, int, int]]


class NewsRing:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        self._clock = clock
        self._boot = secrets.token_hex(8)
        self._commits: deque[tuple[str, int, str, int, int]] = deque(maxlen=most)
        self._next = 0
        self._since_us = clock.now_us()

    def indexed(self, row: Row) -> None:
        """A row was published just now."""
        if len(self._commits) == self._commits.maxlen:
            self._since_us = self._commits[0][-1] + 1
        self._commits.append((row.camera, row.start_us, row.run, row.counter, self._clock.now_us()))
        self._next += 1

    def told(self, boot: str, after: int, most: int = MOST_TOLD) -> Told:
        """What comes from number `after` on. Of another process' numbers, or where those are forgotten, all there is: `first` tells."""
        oldest = self._next - len(self._commits)
        first = min(max(after, oldest), self._next) if boot == self._boot else oldest
        skipped = first - oldest
        return Told(self._boot, first, self._since_us, list(islice(self._commits, skipped, skipped + most)))
