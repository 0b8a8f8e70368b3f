"""Keys of several roles against the whole description: no answer that is not in it, no fault of ours, and nothing without a key."""

from __future__ import annotations

import asyncio

import hypothesis
import pytest
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from playback.description import describe
from playback.identity.api_keys import ApiKeys, KeyOrder
from playback.identity.entrance import Entrance
from playback.identity.known_cameras import KnownCameras
from playback.identity.sessions import Sessions
from segments.access import EVERYTHING, Role, Scope
from segments.clock import US_PER_DAY
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_change
from tests.footage import Take, recorded
from tests.media import Clips

ROLES = (Role.PLATFORM, Role.ADMINISTRATOR, Role.AUDITOR)
"""One to see footage, one to change, one to read the register: what the others may is some of that, and all of it has the token."""

API = Api()
KEYS: dict[Role, str] = {}


def _made() -> object:
    """The application with a key of each role; that of platforms reaches one camera only."""
    keys = ApiKeys(API.index, API.clock)

    async def make() -> None:
        ends_us = API.clock.now_us() + US_PER_DAY
        for role in ROLES:
            scope = Scope(cameras=("gate",)) if role is Role.PLATFORM else EVERYTHING
            KEYS[role] = (await keys.add(KeyOrder(role, "", frozenset({role}), scope, ends_us, "test")))[1]

    asyncio.run(make())
    return API.app(access=Entrance([keys], Sessions(API.index, API.clock), KnownCameras(API.index, API.clock)))


APP = _made()
schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APP, headers={"Authorization": f"Bearer {KEYS[Role.ADMINISTRATOR]}"})

schema.config.phases.coverage.enabled = False  # test_openapi.py goes through all limits of all values, once


@pytest.fixture(scope="module", autouse=True)
def _footage(clips: Clips) -> None:
    """A camera in the platform's scope with footage, and one outside of it."""

    async def fill() -> None:
        for camera in ("gate", "vault"):
            await API.index.add_camera(a_camera(camera))
            await API.index.put_state(a_change(camera=camera, at_us=NOON_US))
            await recorded(API.index, API.objects, clips.get(seconds=4), Take(camera=camera, start_us=NOON_US))

    asyncio.run(fill())


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
@schema.parametrize()
@hypothesis.settings(max_examples=2, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_role_is_answered_as_described(case, role: Role) -> None:
    """Whatever a role may not do is a 403 or 404 that the description has; nothing is a 500."""
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {KEYS[role]}"}
    case.call_and_validate(excluded_checks=[positive_data_acceptance, ignored_auth])


@pytest.mark.slow
@schema.parametrize()
@hypothesis.settings(max_examples=2, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_nothing_is_answered_without_a_key(case) -> None:
    """Every operation that says it wants a key refuses who has none, and who has a wrong one, with 401."""
    if case.operation.definition.raw.get("security") and case.method.upper() == case.operation.method.upper():
        case.cookies = {}
        case.query = {name: value for name, value in (case.query or {}).items() if name != "link"}
        for key in ("", "Bearer ks_000000000000_" + "A" * 43):
            case.headers = {**(case.headers or {}), "Authorization": key}
            unread = {422} if isinstance(case.body, bytes) else set()  # bytes that are no JSON are refused before anybody is asked who
            assert case.call().status_code in {401} | unread, case.operation.label


def test_an_undescribed_answer_is_seen() -> None:
    """The negative control: a description without 404 is contradicted by a camera that there is not."""
    lying = describe(API.app())
    path = "/api/v1/cameras/{camera}"
    operation = {**lying["paths"][path]["get"], "responses": {"200": lying["paths"][path]["get"]["responses"]["200"]}}
    spoilt = {**lying, "paths": {path: {"get": operation}}}
    case = schemathesis.openapi.from_dict(spoilt)[path]["GET"].Case(path_parameters={"camera": "nowhere"})
    with pytest.raises(FailureGroup):
        case.call_and_validate(app=API.app())
