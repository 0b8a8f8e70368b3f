"""The description of the API is honest: schemathesis asks what it allows and what it forbids, and looks at every answer."""

from __future__ import annotations

import asyncio
import copy
import re
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from playback.description import OPEN, describe, operations
from tests.api import Api
from tests.builders import NOON_US, a_camera, a_change
from tests.footage import Take, recorded
from tests.media import Clips

TOKEN = "secret-token"


API = Api(token=TOKEN)

schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", API.app(), headers={"Authorization": f"Bearer {TOKEN}"})


@schema.auth()
class _Token:
    """Puts the token on every request that does not try to go without."""

    def get(self, case, context) -> str:
        return TOKEN

    def set(self, case, data: str, context) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@pytest.fixture(scope="module", autouse=True)
def _footage(clips: Clips) -> None:
    """A camera with some footage, so that there is something to find."""

    async def fill() -> None:
        await API.index.add_camera(a_camera())
        await API.index.put_state(a_change(at_us=NOON_US))
        await recorded(API.index, API.objects, clips.get(seconds=4), Take(start_us=NOON_US))

    asyncio.run(fill())


@pytest.mark.slow
@schema.parametrize()
@hypothesis.settings(max_examples=10, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_answer_is_as_described(case) -> None:
    """Status, type, headers and body of every answer are in the description; wrong input is refused; without the token nothing is told.

    Left out: that whatever fits the description is accepted. That a span is not longer than a day, or ends after it begins, no schema says.
    """
    case.call_and_validate(excluded_checks=[positive_data_acceptance])


def test_a_description_that_lies_is_seen() -> None:
    """The negative control: against a description that promises one thing more, the same check is red."""
    app = API.app()
    lying = copy.deepcopy(describe(app))
    lying["components"]["schemas"]["Health"]["required"] = ["status", "uptime"]
    case = schemathesis.openapi.from_dict(lying)["/api/v1/health"]["GET"].Case()
    with pytest.raises(FailureGroup) as red:
        case.call_and_validate(app=app)
    assert "uptime" in str(red.value.exceptions)


def test_the_description_is_of_all_documented_routes() -> None:
    """docs/reference/api.md and the description name the same routes."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
    routes = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    documented = {said for line in routes for said in re.findall(r"`([A-Z]+ /[^`?]*)", line)}
    paths = describe(Api().app())["paths"]
    assert {f"{verb.upper()} {path.removeprefix('/api/v1')}" for path, item in paths.items() for verb in item} == documented


def test_the_description_tells_of_the_token_where_one_is_wanted() -> None:
    """With access controlled every route but the probe and signing in says what opens it; without, none does."""
    guarded, unguarded = (list(operations(describe(Api(token=token).app()))) for token in (TOKEN, None))
    assert {(path, method) for path, method, one in guarded if "security" not in one} == OPEN
    assert not any("security" in one for _, _, one in unguarded)
