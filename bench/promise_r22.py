"""R22: no user sees a camera outside their scope, and no route is without a rule.

Every role, alone, none and all, with every kind of scope asks every route of the application about every camera, by an API key of its own.
What may be is read from docs/reference/access.md; what is, from the answers, in which no id and no name of a camera outside may stand. The
full form walks over a site where other scopes are asked for, too. Controls: a rule taken away, and lists without their filters.
"""

from __future__ import annotations

import asyncio
import sys
from unittest.mock import patch

from bench.promise import read_form, report
from playback.access import Rule
from segments.access import Scope
from segments.ports import CameraFilter, Cameras
from tests.access_matrix import SCOPES, Seen, World, routes, ruled, table, walk

WIDER = {
    "two areas": Scope(areas=("fujian/fuzhou/gulou", "fujian/xiamen/siming")),
    "class everywhere": Scope(classes=(2, 3)),
    "area and camera": Scope(areas=("fujian/xiamen",), cameras=("35010001",)),
    "a camera that is none": Scope(cameras=("35099998",)),
    "an area that only begins so": Scope(areas=("fujian/fu",)),
}


def main() -> bool:
    """Walks over the matrix; returns whether the promise is met."""
    form = read_form(__doc__)
    if form.full:
        SCOPES.update(WIDER)
    seen, unruled = asyncio.run(_walked())
    for wrong in [*unruled, *seen.wrong[:20]]:
        print(wrong, flush=True)
    controls = asyncio.run(_controls())
    for control, found in controls.items():
        print(f"control: {control}: {found} answers that may not be", flush=True)
    found = len(seen.wrong) + len(unruled)
    result = report(
        promise="R22",
        form=form.name,
        n=seen.asked,
        value=found,
        unit="answers that tell or let more than they may",
        gate="0 of roles x scopes x routes",
        control="red" if all(controls.values()) else "green",
        met=not found and seen.asked > 1000,
    )
    return bool(result["met"])


async def _walked(*only: str) -> tuple[Seen, list[str]]:
    world = World()
    app = await world.build()
    rules = table()
    found = list(routes(app))
    unruled = [f"{method} {path} has no rule, or not that of the table" for method, path, rule in found if not _fits(method, path, rule)]
    print(f"{len(found)} routes, {len(world.keys)} askers", flush=True)
    return await walk(world, app, rules, only), unruled


def _fits(method: str, path: str, rule: object) -> bool:
    return isinstance(rule, Rule) and table().get((method, path)) == ruled(path, rule)


async def _controls() -> dict[str, int]:
    """How many wrong answers each broken rule leads to."""

    async def always(*_: object) -> bool:
        return True

    async def unfiltered(_: Scope, archive: Cameras, only: CameraFilter, **page: object) -> object:
        return await archive.cameras(only, **page)  # type: ignore[arg-type]

    async def all_ids(_: Scope, __: object, ids: list[str]) -> list[str]:
        return ids

    broken = {
        "a rule taken away": (
            "playback.identity.known_cameras.KnownCameras.in_scope",
            always,
            ("/cameras/{camera}", "/cameras/{camera}/timeline"),
        ),
        "the list of cameras without its filter": ("playback.camera_routes.cameras_of_scope", unfiltered, ("/cameras",)),
        "holds without their filter": ("retention.hold_scope.ids_in_scope", all_ids, ("/holds", "/holds/{hold}")),
    }
    found = {}
    for control, (name, instead, only) in broken.items():
        with patch(name, instead):
            found[control] = len((await _walked(*only))[0].wrong)
    return found


if __name__ == "__main__":
    sys.exit(not main())
