"""Holds as far as somebody's scope reaches: found if they touch it, changed if they lie in it, told without what is outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from retention.asked import forbidden
from segments.access import Scope
from segments.errors import NotFound
from segments.hold import HOLDS, Hold, hold_of
from segments.ports import Cameras, Records
from segments.scoped import ids_in_scope, reaches_area

_CAMERAS = frozenset({"cameras", "seen", "covered"})
_AREAS = frozenset({"areas", "empty_areas"})
"""Under which names answers about holds list them."""


class ScopeIndex(Cameras, Records, Protocol):
    """What is asked of the index."""


async def touching(hold: Hold, scope: Scope, archive: Cameras) -> bool:
    """Whether a hold is about a camera of a scope."""
    if scope.everything or await ids_in_scope(scope, archive, [*hold.cameras, *hold.seen]):
        return True
    return any([await reaches_area(scope, archive, area) for area in hold.areas])


async def found_hold(hold_id: str, scope: Scope, index: ScopeIndex, *, to_change: bool = False) -> Hold:
    """A hold that touches a scope; raises NotFound as for one that is not there, and 403 `to_change` one that reaches out of the scope."""
    try:
        hold = hold_of(await index.record(HOLDS, hold_id))
    except NotFound:
        raise NotFound(f"there is no hold {hold_id}") from None
    if not await touching(hold, scope, index):
        raise NotFound(f"there is no hold {hold_id}")
    if to_change and not await _within(hold.cameras, hold.areas, scope, index):
        raise forbidden("this hold covers cameras outside of your scope: somebody with a wider one has to change it")
    return hold


async def check_wanted(cameras: Sequence[str], areas: Sequence[str], scope: Scope, archive: Cameras) -> None:
    """Raises NotFound for cameras and areas that are not in a scope, in the same words for those that there are none of."""
    inside = set(await ids_in_scope(scope, archive, list(cameras)))
    for camera in cameras:
        if camera not in inside:
            raise NotFound(f"there is no camera {camera}")
    for area in areas:
        if not scope.covers_area(area.strip("/")):
            raise NotFound(f"there is no area {area} in your scope")


async def narrowed(value: Any, scope: Scope, archive: Cameras) -> Any:
    """What is answered about holds, without cameras and areas outside of a scope."""
    if scope.everything:
        return value
    if isinstance(value, list):
        kept = [each for each in value if not await _is_of_other(each, scope, archive)]
        return [await narrowed(each, scope, archive) for each in kept]
    if not isinstance(value, dict):
        return value
    told = {}
    for name, part in value.items():
        if name in _CAMERAS and isinstance(part, list):
            told[name] = await ids_in_scope(scope, archive, part)
        elif name in _AREAS and isinstance(part, list):
            told[name] = [area for area in part if await reaches_area(scope, archive, area)]
        else:
            told[name] = await narrowed(part, scope, archive)
    return told


async def _within(cameras: Sequence[str], areas: Sequence[str], scope: Scope, archive: Cameras) -> bool:
    inside = await ids_in_scope(scope, archive, list(cameras))
    return len(inside) == len(cameras) and all(scope.covers_area(area) for area in areas)


async def _is_of_other(value: Any, scope: Scope, archive: Cameras) -> bool:
    """Whether this is a stretch or a camera-day of a camera outside."""
    camera = value.get("camera") if isinstance(value, dict) else None
    return isinstance(camera, str) and not await ids_in_scope(scope, archive, [camera])
