"""In which order wanted segments are copied. Pure.

Evidence first: what a hold covers is what cannot be lost. Then by the class of the camera, as its owner ranked it. Within a class the
newest first, since what was recorded last is what a lost site is asked for, and the past is mostly there already. Cameras take turns, so
that a camera with much to copy does not make the others wait: the newest of each comes before the second newest of any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from replication.copy_values import Wish


def in_order(wishes: Iterable[Wish]) -> list[Wish]:
    """All of them, what is most urgent first; the same whatever order they come in."""
    turns: Counter[tuple[bool, int, str]] = Counter()
    placed = []
    for wish in sorted(wishes, key=lambda wish: (-wish.row.start_us, wish.key)):
        group = (not wish.held, wish.camera.camera_class)
        of_camera = (*group, wish.row.camera)
        placed.append(((*group, turns[of_camera], -wish.row.start_us, wish.key), wish))
        turns[of_camera] += 1
    return [wish for _, wish in sorted(placed, key=lambda each: each[0])]
