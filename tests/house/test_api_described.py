"""Every route is described: a tag, a sentence, an id of its own, examples that fit their schemas, what opens it, and its problems."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema

from playback.description import OPEN, TAGS, describe, operations
from tests.api import Api


@cache
def described() -> dict[str, Any]:
    """Of the whole application, with access."""
    return describe(Api(token="secret-token").app())


def undescribed(whole: Mapping[str, Any]) -> Iterator[str]:
    """What is missing or does not fit, with where."""
    ids = Counter(operation.get("operationId", "") for _, _, operation in operations(whole))
    for path, method, operation in operations(whole):
        where = f"{method.upper()} {path}"
        if not 5 < len(operation.get("summary", "")) <= 160 or not operation.get("description"):
            yield f"{where}: no sentence says what it is ({operation.get('summary')!r})"
        if len(operation.get("tags", ())) != 1 or operation["tags"][0] not in TAGS:
            yield f"{where}: not one tag of those there are"
        if not operation.get("operationId") or ids[operation["operationId"]] != 1:
            yield f"{where}: its id is missing, or another's"
        if ((path, method) in OPEN) is ("security" in operation):
            yield f"{where}: what opens it is missing, or said although it is open"
        yield from (f"{where} {wrong}" for wrong in _bad_examples(operation, whole))


def _bad_examples(operation: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        if "example" not in parameter and "examples" not in parameter:
            yield f"{parameter['name']}: no example"
        elif "example" in parameter:
            yield from _misfit(parameter["name"], parameter["example"], parameter["schema"], whole)
    for name, part in {"body": operation.get("requestBody", {}), **operation["responses"]}.items():
        for kind, media in part.get("content", {}).items():
            if "json" in kind and media.get("schema"):
                yield from _misfit(name, media.get("example"), media["schema"], whole)


def _misfit(name: str, example: object, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    try:
        jsonschema.Draft202012Validator({**schema, "components": whole["components"]}).validate(example)
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.path))
        yield f"{name}: its example does not fit at {place}: {error.message[:120]} (words are in playback/examples.py)"


def test_every_operation_is_described() -> None:
    """With examples that its own schemas take."""
    assert len(list(operations(described()))) > 60
    assert list(undescribed(described())) == []


def test_what_is_not_described_is_seen() -> None:
    """The negative control: one bad example of each rule."""
    cameras = "/api/v1/cameras"
    for spoil in (
        lambda one: one.pop("summary"),
        lambda one: one.update(tags=["coffee"]),
        lambda one: one.pop("operationId"),
        lambda one: one.pop("security"),
        lambda one: one["parameters"][0].pop("example"),
        lambda one: next(each for each in one["parameters"] if each["name"] == "limit").update(example="many"),
        lambda one: one["responses"]["200"]["content"]["application/json"].update(example={"cameras": "all"}),
    ):
        spoilt = copy.deepcopy(described())
        spoil(spoilt["paths"][cameras]["get"])
        assert list(undescribed(spoilt))
