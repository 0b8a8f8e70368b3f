"""The laws of scopes: deny by default, more named is never less seen, and lists by a scope are those filtered by it."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from playback.identity.subject_values import scope_of, scope_values
from segments.access import NOTHING, VERBS, Role, Scope, Subject, Verb
from segments.model import Camera
from segments.ports import CameraFilter
from segments.scoped import cameras_of_scope, ids_in_scope, reaches_area
from segments.stores.memory_index import MemoryIndex
from tests.builders import a_camera

AREAS = ("a", "a/b", "a/b/c", "ab", "d")
IDS = tuple(f"cam-{number}" for number in range(8))
scopes = st.builds(
    Scope,
    everything=st.sampled_from([False, False, False, True]),
    areas=st.lists(st.sampled_from(AREAS), max_size=3, unique=True).map(tuple),
    classes=st.lists(st.integers(1, 3), max_size=2, unique=True).map(tuple),
    cameras=st.lists(st.sampled_from((*IDS, "cam-none")), max_size=2, unique=True).map(tuple),
)
archives = st.lists(st.tuples(st.sampled_from(AREAS), st.integers(1, 3)), min_size=len(IDS), max_size=len(IDS)).map(
    lambda drawn: [a_camera(camera, area=area, camera_class=class_) for camera, (area, class_) in zip(IDS, drawn, strict=True)]
)


@given(archives)
def test_nothing_is_covered_by_default(archive: list[Camera]) -> None:
    """An empty scope covers no camera, and a subject without roles may do nothing but be probed."""
    assert not any(NOTHING.covers(camera) for camera in archive)
    assert [verb for verb in Verb if Subject("x", "x").may(verb)] == [Verb.PROBE]


@given(scopes, archives)
def test_a_scope_covers_what_its_parts_cover(scope: Scope, archive: list[Camera]) -> None:
    """The union: everything, or a camera named, or one in an area named and of a class named."""
    for camera in archive:
        in_area = any(f"{camera.area}/".startswith(f"{area}/") for area in scope.areas)
        by_place = (
            bool(scope.areas or scope.classes)
            and (in_area or not scope.areas)
            and (camera.camera_class in scope.classes or not scope.classes)
        )
        assert scope.covers(camera) is (scope.everything or camera.id in scope.cameras or by_place)


@given(st.frozensets(st.sampled_from(Role)))
def test_rights_are_those_of_all_roles_together(roles: frozenset[Role]) -> None:
    """And of none else."""
    subject = Subject("x", "x", "", roles)
    allowed = {verb for role in roles for verb in VERBS[role]} | {Verb.PROBE}
    assert {verb for verb in Verb if subject.may(verb)} == allowed


@settings(max_examples=60, deadline=None)
@given(scopes, archives, st.sampled_from(("", *AREAS)), st.sampled_from((None, 1, 2)), st.integers(1, 5))
def test_pages_of_a_scope_are_the_archive_filtered(
    scope: Scope, archive: list[Camera], area: str, camera_class: int | None, limit: int
) -> None:
    """All pages together, each camera once, in order of id, and none of another's."""
    only = CameraFilter(camera_class, area)

    async def paged() -> tuple[list[str], list[str], list[str], bool]:
        index = MemoryIndex()
        for camera in archive:
            await index.add_camera(camera)
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await cameras_of_scope(scope, index, only, after=after, limit=limit)
            assert len(page.items) <= limit
            found += [camera.id for camera in page.items]
            after = page.next
        wanted = [camera.id for camera in (await index.cameras(only)).items if scope.covers(camera)]
        covered = [camera.id for camera in archive if scope.covers(camera)]
        assert await ids_in_scope(scope, index, list(IDS)) == covered
        reached = await reaches_area(scope, index, "a/b")
        in_area = [camera for camera in archive if scope.covers(camera) and f"{camera.area}/".startswith("a/b/")]
        return found, wanted, covered, reached is bool(in_area)

    found, wanted, _, agreed = asyncio.run(paged())
    assert found == wanted
    assert agreed


@given(scopes)
def test_a_scope_survives_its_record(scope: Scope) -> None:
    """And what a record does not say covers nothing."""
    assert scope_of(scope_values(scope)) == scope
    assert scope_of({}) == NOTHING
