"""`keepsight hold`: the whole life of a hold by command, in sentences and JSON, on a real index."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_index
from segments.clock import iso
from segments.model import BatchState
from segments.ports import Index
from tests.builders import NOON_US, a_batch, a_camera, a_row, some_rows
from tests.command_line import Keepsight
from tests.retention_builders import a_gone, a_receipt, write_policy

START, END = iso(NOON_US), iso(NOON_US + 3_600_000_000)


def indexed(keepsight: Keepsight, work: Callable[[Index], Awaitable[object]]) -> None:
    """Does work on the index."""

    async def whole() -> None:
        async with open_index(load_settings(keepsight.config, {})) as index:
            await work(index)

    asyncio.run(whole())


async def _cameras(index: Index) -> None:
    await write_policy(index)
    await index.add_camera(a_camera("gate", tier="general"))
    await index.add_camera(a_camera("bank", tier="key-area", area="zhejiang"))
    await index.publish_many(some_rows(2))
    await index.put_usage("gate", a_row().day, await index.row_sums("gate", a_row().day))


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    """A site with a policy, two cameras and some footage of noon."""
    made = Keepsight(tmp_path)
    indexed(made, _cameras)
    return made


def place(keepsight: Keepsight, *words: str, code: int = 0, camera: str = "gate") -> str:
    """Places a hold on noon; returns its id."""
    fixed = ("--case", "2026-17", "--from", START, "--to", END, "--reason", "collision", "--by", "Li", "--camera", camera)
    placed = keepsight.json("hold", "place", *fixed, *words, code=code)
    assert placed["covered"] == [camera]
    return str(placed["hold"]["id"])


def test_a_hold_is_placed_found_and_shown(keepsight: Keepsight) -> None:
    """With what it keeps, who placed it and why."""
    hold = place(keepsight, "--review", "2027-01-31")
    (found,) = keepsight.json("hold", "list", "--camera", "gate", "--standing", "--review-before", "2027-02-01")
    assert (found["id"], found["placed_by"], found["reason"], found["from"], found["to"]) == (hold, "Li", "collision", START, END)
    shown = keepsight.json("hold", "show", hold)
    assert (shown["cameras"], shown["camera_days"], shown["segments"]) == (1, 1, 2)
    text = keepsight("hold", "show", hold).stdout
    assert "by Li: collision" in text
    assert "locks set 0 of 0" in text
    assert hold in keepsight("hold", "list").stdout
    assert hold in keepsight("hold", "report", "2026-17").stdout
    assert keepsight.json("hold", "report", "2026-17")[0]["segments"] == 2
    assert keepsight.json("hold", "list", "--lifted") == []


def test_what_is_gone_is_said_with_exit_code_1(keepsight: Keepsight) -> None:
    """What is being deleted, and what receipts name."""

    async def deleting(index: Index) -> None:
        batch = a_batch(state=BatchState.DELETING)
        await index.put_batch_rows(batch, some_rows(2))
        await index.put_batch(batch, expect=None)
        gone = a_row(start_us=NOON_US + 1_800_000_000, run="home-a-9-9")
        await index.put_receipt(a_receipt(segments=(a_gone(gone),)))

    indexed(keepsight, deleting)
    words = ("--case", "c", "--from", START, "--reason", "r", "--camera", "gate")
    text = keepsight("hold", "place", *words, code=1).stdout
    assert f"too late, it is being deleted: gate {START} to {iso(NOON_US + 120_000_000)}" in text
    assert f"deleted before: gate {iso(NOON_US + 1_800_000_000)}" in text
    assert len(keepsight.json("hold", "place", *words, code=1)["deleted"]) == 1


def test_what_was_on_its_way_is_taken_back(keepsight: Keepsight) -> None:
    """And named."""
    indexed(keepsight, lambda index: index.put_batch(a_batch(state=BatchState.PENDING), expect=None))
    words = ("--case", "c", "--from", START, "--reason", "r", "--area", "fujian", "--area", "hunan")
    text = keepsight("hold", "place", *words).stdout
    assert f"taken back: gate {a_row().day}" in text
    assert "area hunan has no camera yet" in text


def test_one_person_lifts_where_one_may(keepsight: Keepsight) -> None:
    """With a reason, and after having been asked."""
    hold = place(keepsight)
    refused = keepsight("hold", "lift", hold, "--reason", "over", text="n\n", code=2).stderr
    assert "nothing was changed: answer with y, or say --yes" in refused
    lifted = keepsight.json("hold", "lift", hold, "--reason", "over", "--by", "Li", "--yes")
    assert (lifted["hold"]["stands"], lifted["hold"]["lifted_by"]) == (False, "Li")
    assert "was lifted" in keepsight.refused("hold", "lift", hold, "--reason", "over", "--yes", code=2)
    assert "it kept" in keepsight("hold", "show", hold).stdout


def test_a_key_area_needs_two(keepsight: Keepsight) -> None:
    """The one who asked cannot approve."""
    hold = place(keepsight, camera="bank")
    assert "another person approves" in keepsight("hold", "lift", hold, "--reason", "over", "--by", "Li", "--yes").stdout
    assert "another person has to approve" in keepsight.refused("hold", "approve", hold, "--by", "li", "--yes", code=2)
    assert "is lifted" in keepsight("hold", "approve", hold, "--by", "Wang", "--yes").stdout
    assert [change["by"] for change in keepsight.json("hold", "show", hold)["hold"]["changes"]] == ["Li", "Li", "Wang"]


def test_a_hold_is_made_longer(keepsight: Keepsight) -> None:
    """Never shorter."""
    hold = place(keepsight)
    extended = keepsight.json("hold", "extend", hold, "--to", "never", "--review", "2027-01-31", "--reason", "trial goes on")
    assert (extended["hold"]["to"], extended["hold"]["review"]) == (None, "2027-01-31")
    assert "cannot be made shorter" in keepsight.refused("hold", "extend", hold, "--to", END, "--reason", "r", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--camera", "quay"), "nobody knows these cameras, now or formerly: quay"),
        ((), "names no camera and no area"),
        (("--camera", "gate", "--to", iso(NOON_US - 1_000_000)), "ends before it begins"),
        (("--camera", "gate", "--review", "tomorrow"), "is no day"),
        (("--camera", "gate", "--to", "later"), "is no time"),
        (("--area", "/"), "an area is empty"),
    ],
)
def test_wrong_input_is_refused(keepsight: Keepsight, words: tuple[str, ...], said: str) -> None:
    """With a sentence, and no hold."""
    assert said in keepsight.refused("hold", "place", "--case", "c", "--from", START, "--reason", "r", *words, code=2)
    assert keepsight.json("hold", "list") == []


def test_what_a_command_does_to_holds_is_in_the_register(keepsight: Keepsight) -> None:
    """Who, for what and why, from the command line; what failed says so."""
    hold = place(keepsight)
    keepsight.json("hold", "lift", hold, "--reason", "over", "--by", "Li", "--yes")
    keepsight("hold", "lift", "none", "--reason", "over", "--yes", code=2)
    acts = keepsight.json("audit", "search")
    assert [(act["action"], act["outcome"], act["source"]) for act in acts] == [
        *[("hold", "done", "command line")] * 3,
        ("hold", "failed", "command line"),
    ]
    assert acts[0]["cameras"] == ["gate"]
    assert acts[1]["what"] == f"lifted hold {hold}"
    assert acts[1]["name"] == "Li"
    assert acts[1]["who"].startswith("command:")
