"""Uncertain inputs: a low, a likely and a high value, and the worlds drawn from them. Pure.

Each input is drawn for itself from a triangular distribution, so that ten uncertain inputs are not all at their worst at once; the same
seed gives the same worlds, so that two plans are compared in the same ones.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from capacity.formula import Samples
from segments.errors import BadInput

WORLDS = 4_000
LOW, HIGH = 0.05, 0.95
"""What a range of results says: 90 of 100 worlds lie in it."""


class Range(NamedTuple):
    """A value that is known to lie between `low` and `high`, most likely at `likely`. All three alike: it is known."""

    low: float
    likely: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def samples(self, name: str, worlds: int = WORLDS) -> Samples:
        """Its value in each world; a name always has the same worlds."""
        if self.known:
            return np.full(worlds, self.likely)
        return np.random.default_rng(zlib.crc32(name.encode())).triangular(self.low, self.likely, self.high, worlds)


def exactly(value: float) -> Range:
    """A value that is known."""
    return Range(value, value, value)


def between(low: float, likely: float, high: float) -> Range:
    """Raises BadInput unless they are in order."""
    if not low <= likely <= high:
        raise BadInput(f"low ({low:g}), likely ({likely:g}) and high ({high:g}) have to be in this order")
    return Range(low, likely, high)


def summed_up(samples: Samples) -> Range:
    """What a result says: its median, and where 90 of 100 worlds lie."""
    low, likely, high = np.quantile(samples, (LOW, 0.5, HIGH))
    return Range(float(low), float(likely), float(high))
