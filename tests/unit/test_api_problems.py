"""Every error is a problem (RFC 9457), with the status that tells a client what to do."""

from __future__ import annotations

import pytest

from segments.errors import Conflict, DataDamaged, KeepsightError, Refused, TryAgain, Unknown
from tests.api import Api, asked
from tests.builders import a_camera

DAY_S = 86_400


def check_problem(answer) -> dict[str, object]:
    """The problem of an answer, if it is a whole one of the right type."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "nowhere", 404), ("POST", "cameras", 405), ("DELETE", "cameras/gate", 405)])
async def test_what_is_no_route_is_a_problem(method: str, path: str, status: int) -> None:
    """Unknown addresses and wrong methods too."""
    async with Api().client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert method in str(check_problem(answer)["detail"])


@pytest.mark.parametrize(
    ("path", "query", "where"),
    [
        ("cameras", {"limit": 0}, "query.limit"),
        ("cameras", {"class": 4}, "query.class"),
        ("cameras/-gate", {}, "path.camera"),
        ("cameras/gate/timeline", {"from": "2026-03-14T12:00:00", "to": "2026-03-14T13:00:00Z"}, "query.from"),
        ("cameras/gate/timeline", {"from": "1773489600", "to": "2026-03-14T13:00:00Z"}, "query.from"),
        ("cameras/gate/timeline", {"from": "1969-12-31T23:59:59Z", "to": "2026-03-14T13:00:00Z"}, "query.from"),
        ("cameras/gate/timeline", {"from": "2026-02-30T00:00:00Z", "to": "2026-03-14T13:00:00Z"}, "query.from"),
        ("cameras/gate/timeline", {"from": "2026-03-14T12:00:00Z"}, "query.to"),
        ("cameras/gate/segments/-1/home-a-1-1/0.mp4", {}, "path.start_us"),
        ("cameras/gate/segments/1/home-a-1-1/x.mp4", {}, "path.counter"),
        ("cameras/gate/snapshot.jpg", {"at": "2026-03-14T12:00:00Z", "width": 15}, "query.width"),
    ],
)
async def test_bad_input_is_named(path: str, query: dict[str, object], where: str) -> None:
    """422 names each value that is wrong and where it stands."""
    answer = await Api().get(path, params=query)
    problem = check_problem(answer)
    assert answer.status_code == 422
    assert [error["where"] for error in problem["errors"]] == [where]


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("timeline", asked(10, 10), "must be later than"),
        ("timeline", asked(10, 0), "must be later than"),
        ("timeline", asked(0, 401 * DAY_S), "at most 400 days"),
        ("timeline", {**asked(0, DAY_S), "resolution": 1}, "use 60 or more"),
        ("hls/media.m3u8", asked(0, DAY_S + 1), "at most 24 hours"),
        ("hls/multivariant.m3u8", asked(0, DAY_S + 1), "at most 24 hours"),
        ("hls/iframes.m3u8", asked(0, DAY_S + 1), "at most 24 hours"),
    ],
)
async def test_spans_that_are_too_much_are_refused(path: str, query: dict[str, str], says: str) -> None:
    """422 says the limit, and what to ask instead."""
    answer = await Api().get(f"cameras/gate/{path}", params=query)
    assert answer.status_code == 422
    assert says in str(check_problem(answer)["detail"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TryAgain("busy"), 503),
        (Unknown("no answer"), 503),
        (Refused("no rights"), 502),
        (DataDamaged("torn"), 502),
        (Conflict("taken"), 409),
    ],
)
async def test_errors_of_the_ports_keep_their_meaning(error: KeepsightError, status: int) -> None:
    """What the index says reaches the client as the status for what to do; a passing fault says when to come back."""

    class Failing:
        async def cameras(self, *_: object, **__: object) -> None:
            raise error

    api = Api()
    api.index = Failing()
    answer = await api.get("cameras")
    assert answer.status_code == status
    assert check_problem(answer)["detail"] == str(error)
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize("body", [b'{"from": "\xff"}', b"[" * 100_000], ids=["no UTF-8", "too deep"])
async def test_a_body_that_cannot_be_read_is_bad_input(body: bytes) -> None:
    """Bytes that are no text, and JSON that no parser goes into, are refused as any other input is."""
    async with Api().client() as client:
        answer = await client.post("cameras/gate/links", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "body" in str(check_problem(answer)["detail"])


async def test_a_fault_of_ours_tells_nothing_of_itself() -> None:
    """500 is a problem too, without what went wrong inside."""

    class Broken:
        async def cameras(self, *_: object, **__: object) -> None:
            raise RuntimeError("inner secret")

    api = Api()
    api.index = Broken()
    answer = await api.get("cameras")
    assert answer.status_code == 500
    assert "inner secret" not in str(check_problem(answer))


async def test_no_footage_names_its_cause() -> None:
    """404 for a span without footage says why there is none."""
    api = Api()
    await api.index.add_camera(a_camera("gate", added_us=api.clock.at_us))
    problem = check_problem(await api.get("cameras/gate/hls/media.m3u8", params=asked(0, 60)))
    assert (problem["type"], problem["cause"]) == ("urn:keepsight:problem:no-footage", "not-commissioned")
