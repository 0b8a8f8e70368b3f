"""R22 in short: the table of routes and rules is the application's, and holds for every role and scope; each broken rule is seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from segments.access import Role, Scope
from segments.ports import ALL_CAMERAS, CameraFilter, Cameras, Page
from tests.access_matrix import Seen, World, routes, ruled, table, walk
from tests.api import Api


def test_the_table_names_every_route_and_its_rule() -> None:
    """docs/reference/access.md says what the application does, route by route, and nothing else."""
    found = {(method, path): ruled(path, rule) for method, path, rule in routes(Api().app()) if rule is not None}
    assert found == table()


SOME = (frozenset({Role.OPERATOR}), frozenset({Role.PLATFORM}), frozenset(Role), frozenset[Role]())
"""The promise R22 walks with all roles."""


async def walked(*only: str) -> Seen:
    """A walk over a world of its own."""
    world = World(SOME)
    return await walk(world, await world.build(), table(), only)


async def test_no_role_and_no_scope_sees_more_than_the_table_says() -> None:
    """Some roles, all scopes, all routes, all cameras."""
    seen = await walked()
    assert seen.wrong == []
    assert seen.asked > 2000


async def test_a_rule_taken_away_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of routes of a camera: every camera counts as in scope."""

    async def in_scope(*_: object) -> bool:
        return True

    monkeypatch.setattr("playback.identity.known_cameras.KnownCameras.in_scope", in_scope)
    assert (await walked("/cameras/{camera}/timeline")).wrong


async def test_a_list_without_its_filter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of lists: cameras come unfiltered, and so do those of holds."""

    async def all_cameras(
        scope: Scope, archive: Cameras, only: CameraFilter = ALL_CAMERAS, *, after: str = "", limit: int = 1000
    ) -> Page[object, str]:
        return await archive.cameras(only, after=after, limit=limit)

    async def all_ids(scope: Scope, archive: Cameras, ids: Sequence[str]) -> Sequence[str]:
        return ids

    with monkeypatch.context() as broken:
        broken.setattr("playback.camera_routes.cameras_of_scope", all_cameras)
        assert any("GET /cameras " in wrong for wrong in (await walked("/cameras")).wrong)
    with monkeypatch.context() as broken:
        broken.setattr("retention.hold_scope.ids_in_scope", all_ids)
        assert any("GET /holds" in wrong for wrong in (await walked("/holds", "/holds/{hold}")).wrong)
