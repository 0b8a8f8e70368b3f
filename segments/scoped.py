"""The archive as far as a scope reaches: asked by area, class and id, never by going through all of it."""

from __future__ import annotations

from collections.abc import Iterator

from segments.access import Scope, lies_in
from segments.errors import NotFound
from segments.model import Camera
from segments.ports import ALL_CAMERAS, CameraFilter, Cameras, Page


async def cameras_of_scope(
    scope: Scope, archive: Cameras, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000
) -> Page[Camera, str]:
    """A page of the cameras of a scope that pass a filter, in order of id, those with an id greater than `after`."""
    if scope.everything:
        return await archive.cameras(only, after=after, limit=limit)
    found: dict[str, Camera] = {}
    more = False
    for each in _filters(scope, only):
        page = await archive.cameras(each, after=after, limit=limit)
        found |= {camera.id: camera for camera in page.items}
        more = more or page.next is not None
    found |= {camera.id: camera for camera in await _named(scope, archive) if camera.id > after and _passes(camera, only)}
    items = [found[camera_id] for camera_id in sorted(found)]
    more = more or len(items) > limit
    return Page(items[:limit], items[limit - 1].id if more and len(items) >= limit else None)


async def reaches_area(scope: Scope, archive: Cameras, area: str) -> bool:
    """Whether a camera of an area is in a scope."""
    return bool((await cameras_of_scope(scope, archive, CameraFilter(area=area), limit=1)).items)


async def ids_in_scope(scope: Scope, archive: Cameras, ids: list[str]) -> list[str]:
    """Those of some cameras that are in a scope, in the order given. One that is not in the archive is where it is named."""
    if scope.everything:
        return ids
    return [camera_id for camera_id in ids if camera_id in scope.cameras or await _covered(scope, archive, camera_id)]


async def _covered(scope: Scope, archive: Cameras, camera_id: str) -> bool:
    try:
        return scope.covers(await archive.camera(camera_id))
    except NotFound:
        return False


async def _named(scope: Scope, archive: Cameras) -> list[Camera]:
    found = []
    for camera_id in scope.cameras:
        try:
            found.append(await archive.camera(camera_id))
        except NotFound:
            continue
    return found


def _filters(scope: Scope, only: CameraFilter) -> Iterator[CameraFilter]:
    """What to ask the archive for: each area of a scope with each class of it, as far as the filter lets them through."""
    if not scope.areas and not scope.classes:
        return
    for area in scope.areas or ("",):
        deeper = only.area if not area or (only.area and lies_in(only.area, area)) else area
        if only.area and not lies_in(deeper, only.area):
            continue
        for camera_class in scope.classes or (None,):
            if only.camera_class in (None, camera_class) or camera_class is None:
                yield CameraFilter(camera_class or only.camera_class, deeper)


def _passes(camera: Camera, only: CameraFilter) -> bool:
    of_class = only.camera_class is None or camera.camera_class == only.camera_class
    return of_class and (not only.area or lies_in(camera.area, only.area))
