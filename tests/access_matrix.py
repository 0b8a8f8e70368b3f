"""Every role and every scope against every route (promise R22): what the table of routes and rules says, and what the application does.

The routes are the application's own, so that a new one is in it; what is expected comes from the table in docs/reference/access.md alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from playback.access import Rule
from playback.app import PREFIX
from playback.identity.api_keys import KeyOrder
from playback.identity.identity import Identity, identity_over
from retention.holds import HoldOrder, place
from segments.access import EVERYTHING, NOTHING, VERBS, Role, Scope, Verb
from segments.clock import US_PER_DAY, iso
from segments.hold import FOR_EVER_US
from segments.model import Camera
from tests.api import Api
from tests.builders import NOON_US, RUN, a_camera, a_row, a_run

TABLE = Path(__file__).parent.parent / "docs" / "reference" / "access.md"
_LINE = re.compile(r"\| ([A-Z]+) \| `(/[^`]*)` \| ([a-z]+) \| ([a-z]+) \|")


class Ruled(NamedTuple):
    """A line of the table: what a route takes, and how far it reaches (`nobody`, `own`, `camera`, `scope` or `site`)."""

    verb: Verb
    reach: str


Routes = Mapping[tuple[str, str], Ruled]


def table() -> Routes:
    """The table as it is written down, by method and path."""
    return {(method, path): Ruled(Verb(verb), reach) for method, path, verb, reach in _LINE.findall(TABLE.read_text())}


def routes(app: FastAPI) -> Iterator[tuple[str, str, Rule | None]]:
    """The routes an application has, each with its rule."""
    for context in iter_route_contexts(app.router.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            found = [one.call for one in route.dependant.dependencies if isinstance(one.call, Rule)]
            for method in sorted(route.methods):
                yield method, str(context.path).removeprefix(PREFIX), found[0] if len(found) == 1 else None


def ruled(path: str, rule: Rule) -> Ruled:
    """What a rule says, in the words of the table."""
    if rule.verb is Verb.PROBE:
        return Ruled(rule.verb, "nobody")
    if rule.verb is Verb.OWN:
        return Ruled(rule.verb, "own")
    return Ruled(rule.verb, "camera" if "{camera}" in path else str(rule.reach))


CAMERAS = (
    a_camera("35010001", name="North gate 7f3a", area="fujian/fuzhou/gulou", camera_class=1),
    a_camera("35010002", name="South stairs 91bc", area="fujian/fuzhou/cangshan", camera_class=2),
    a_camera("35020003", name="Harbour crane 44de", area="fujian/xiamen", camera_class=1),
    a_camera("35020004", name="Island ferry 60aa", area="fujian/xiamen/siming", camera_class=3),
)
UNKNOWN = "35099999"
SCOPES: dict[str, Scope] = {
    "nothing": NOTHING,
    "everything": EVERYTHING,
    "area": Scope(areas=("fujian/fuzhou",)),
    "class": Scope(classes=(1,)),
    "area and class": Scope(areas=("fujian/xiamen",), classes=(3,)),
    "camera": Scope(cameras=("35010002",)),
}
ROLES: tuple[frozenset[Role], ...] = (*(frozenset({role}) for role in Role), frozenset(), frozenset(Role))

_FROM, _TO = iso(NOON_US), iso(NOON_US + 60_000_000)
_QUERY = {"from": _FROM, "to": _TO, "at": _FROM, "month": "2026-01-01", "day": "2026-01-01", "case": "case-1"}
_REPORT = {"from": "2026-01-01", "to": "2026-01-02"}
_REASON = {"reason": "a test"}


@dataclass
class World:
    """A site of four cameras with footage and holds, and a key of each role and scope."""

    roles: Sequence[frozenset[Role]] = ROLES
    api: Api = field(default_factory=Api)
    keys: dict[tuple[frozenset[Role], str], str] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        """That of its index."""
        return identity_over(self.api.index, self.api.clock)

    async def build(self) -> FastAPI:
        """The application over it."""
        index, now_us = self.api.index, self.api.clock.now_us()
        for camera in CAMERAS:
            await index.add_camera(camera)
            await index.put_run(a_run(camera=camera.id))
            await index.publish(a_row(camera=camera.id))
            order = HoldOrder(f"case of {camera.name}", "a test", "Anna", NOON_US, FOR_EVER_US, cameras=(camera.id,), areas=(), review=None)
            self.holds[camera.id] = (await place(order, index=index, now_us=now_us)).hold.id
        every = tuple(camera.id for camera in CAMERAS)
        both = HoldOrder("case-1", "a test", "Anna", NOON_US, FOR_EVER_US, cameras=every, areas=("fujian/xiamen",), review=None)
        self.holds["all"] = (await place(both, index=index, now_us=now_us)).hold.id
        for roles in self.roles:
            for name, scope in SCOPES.items():
                wanted = KeyOrder("Platform", "Unit", roles, scope, now_us + US_PER_DAY, "Anna")
                self.keys[roles, name] = (await self.identity.keys.add(wanted))[1]
        return self.api.app(access=self.identity.entrance())


class Asked(NamedTuple):
    """One request, as who: `camera` is the one it is about, if it is about one."""

    method: str
    path: str
    roles: frozenset[Role]
    scope: str
    camera: Camera | None
    target: str
    options: dict[str, Any]


@dataclass
class Seen:
    """What a walk over the matrix found: how many requests, and what was not as the table says."""

    asked: int = 0
    wrong: list[str] = field(default_factory=list)


async def walk(world: World, app: FastAPI, rules: Routes, only: Sequence[str] = ()) -> Seen:
    """Asks everything as everybody; `only`: these routes."""
    seen = Seen()
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://keepsight{PREFIX}") as client:
        for asked in requests(world, app):
            if only and asked.path not in only:
                continue
            key = world.keys[asked.roles, asked.scope]
            headers = {"Authorization": f"Bearer {key}"}
            answer = await client.request(asked.method, asked.target, headers=headers, **asked.options)
            seen.asked += 1
            wrong = judged(asked, rules.get((asked.method, asked.path)), answer)
            if wrong:
                who = f"{'+'.join(sorted(asked.roles)) or 'no role'} of {asked.scope}"
                seen.wrong.append(f"{asked.method} {asked.target} as {who}: {answer.status_code}, {wrong}")
    return seen


def requests(world: World, app: FastAPI) -> Iterator[Asked]:
    """All of them: what looks comes first, so that what changes something spoils nothing."""
    found = sorted(routes(app), key=lambda each: (each[0] not in ("GET", "HEAD"), each[1], each[0]))
    for method, path, _ in found:
        for roles in world.roles:
            for scope in SCOPES:
                for camera, target, options in targets(world, method, path):
                    yield Asked(method, path, roles, scope, camera, target, options)


def targets(world: World, method: str, path: str) -> Iterator[tuple[Camera | None, str, dict[str, Any]]]:
    """The addresses of a route that are asked: for each camera, or for each hold, or the one."""
    about: list[tuple[Camera | None, str, str]] = [(None, UNKNOWN, world.holds["all"])]
    if "{camera}" in path or "{hold}" in path or path == "/holds":
        about += [(camera, camera.id, world.holds[camera.id]) for camera in CAMERAS]
    for camera, camera_id, hold in about:
        values = {"camera": camera_id, "hold": hold, "user": "nobody-yet", "key": "0" * 12, "run": RUN, "start_us": str(a_row().start_us)}
        values |= {"counter": "0", "version": "1"}
        target = path.format_map(defaultdict(lambda: "1", values))
        options: dict[str, Any] = {"params": _REPORT if path == "/reports/retention" else _QUERY}
        if path == "/holds":
            options["params"] = {"camera": camera_id} if camera else {}
        if method not in ("GET", "HEAD", "DELETE"):
            options["json"] = body(path, camera_id)
        yield camera, target, options


def body(path: str, camera: str) -> dict[str, Any]:
    """A body that fits routes about holds; others refuse it, after their rule has let the request in."""
    if path == "/holds":
        return {"case": "x", "reason": "a test", "from": _FROM, "cameras": [camera]}
    return {**_REASON, "review": "2027-01-01"} if path.endswith("/extension") else _REASON


def judged(asked: Asked, rule: Ruled | None, answer: httpx2.Response) -> str:
    """What is wrong with an answer; empty if nothing is."""
    if rule is None:
        return "the table does not know this route"
    scope, status = SCOPES[asked.scope], answer.status_code
    told = [text for camera in CAMERAS if not scope.covers(camera) for text in (camera.id, camera.name) if text in answer.text]
    told = [text for text in told if text not in f"{asked.target} {asked.options}"]
    if told:
        return f"it tells of {told}"
    if status == 500:
        return "it failed"
    if rule.reach == "nobody":
        return ""
    may = rule.verb in {verb for role in asked.roles for verb in VERBS[role]}
    if not may:
        return "" if status == 403 else "the roles do not have the right to it"
    if rule.reach == "site":
        return "" if (status == 403) is not scope.everything else "it is about the whole site"
    if status == 401:
        return "the key opens it"
    if asked.camera is None or rule.reach == "own":
        return ""
    return _of_camera(asked, scope.covers(asked.camera), answer)


def _of_camera(asked: Asked, inside: bool, answer: httpx2.Response) -> str:
    """Of a camera inside, that it is not refused; of one outside, that it is answered as one that is not there."""
    assert asked.camera is not None
    if inside:
        return "it is refused" if answer.status_code == 403 else ""
    if answer.status_code != 404:
        return "the camera lies outside of the scope"
    if asked.method == "HEAD":
        return ""  # without a body there is nothing to compare
    said = answer.json()["detail"]
    unknown = ("there is no camera", "there is no hold")
    return "" if said.startswith(unknown) else f"another answer than for one that is not there: {said}"
