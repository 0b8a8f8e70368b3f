"""The signature of a change: everything people change is kept with it."""

from __future__ import annotations

from typing import NamedTuple


class Signed(NamedTuple):
    """Who changes something, why, and when."""

    by: str
    reason: str
    now_us: int
