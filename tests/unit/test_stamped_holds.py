"""Holds that are pulled again and again: those that did not change do not come again."""

from __future__ import annotations

import json

import pytest

from replication.wire_values import to_json
from segments.errors import DataDamaged
from tests.retention_builders import a_hold
from tests.unit.test_peer_client import lying, says


async def test_holds_that_did_not_change_do_not_come_again() -> None:
    """The stamp of the last answer is sent along; an answer that they are as before, of a stamp that was not sent, is damage."""
    hold = a_hold()
    answers = [{"stamp": "s1", "holds": [to_json(hold)]}, {"stamp": "s1", "holds": None}, {"stamp": "s2", "holds": None}]
    async with lying(lambda request: says(answers.pop(0))(request)) as (client, asked):
        assert [await client.holds() for _ in range(2)] == [[hold]] * 2
        assert [json.loads(request.content)["stamp"] for request in asked] == ["", "s1"]
        with pytest.raises(DataDamaged):
            await client.holds()
    async with lying(says({"stamp": "", "holds": None})) as (client, _):
        with pytest.raises(DataDamaged):
            await client.holds()
