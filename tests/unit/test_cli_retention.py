"""`keepsight retention` from a terminal: what is shown, asked, written and refused, with its exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deploy.settings import load_settings
from deploy.wiring import open_stores
from retention.breaches import note_pressure
from retention.pressure import Breach, Pressure, Relief
from segments.clock import SystemClock, day_of
from segments.model import BatchState
from segments.ports import Index
from segments.tier import general_tier
from segments.usage import UsageSum
from tests.builders import a_batch, some_rows
from tests.command_line import URL, Keepsight
from tests.retention_builders import a_policy, a_receipt, write_policy

NOW = datetime.now(UTC)
REVIEW = (NOW + timedelta(days=365)).date().isoformat()
OLD_US = SystemClock().now_us() - 200 * 86_400_000_000
OLD_DAY = day_of(OLD_US).isoformat()
START = ("retention", "start", "--approver", "Chen", "--review", REVIEW, "--zone", "Asia/Shanghai", "--by", "Wu")
WHY = ("--reason", "the plan", "--by", "Wu")


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    """A site with a camera of class 1 in the harbour; notices are of no days, so that what is applied binds."""
    command = Keepsight(tmp_path)
    command.configure("[retention]\nnotice_days = 0\n")
    command("camera", "add", "gate", URL, "class=1", "area=harbour")
    return command


def in_index(keepsight: Keepsight, work: Callable[[Index], Awaitable[None]]) -> None:
    """Writes into the index as another process would."""

    async def whole() -> None:
        async with open_stores(load_settings(keepsight.config, {})) as stores:
            await work(stores.index)

    asyncio.run(whole())


def policies(keepsight: Keepsight) -> list[int]:
    return [policy["version"] for policy in keepsight.json("retention", "policy", "history")]


def test_retention_is_started_shown_and_changed(keepsight: Keepsight) -> None:
    """Started once; a change is shown, written with who and why, and read back everywhere."""
    assert "nothing is deleted" in keepsight("retention", "policy", "show").stdout
    assert keepsight.json("retention", "status")["policy"] is None
    said = keepsight(*START, "--yes").stdout
    assert "class 1: none -> key-area" in said
    assert "1 of 1 cameras change: 1 shorter" in said
    assert "policy 1 is written" in said
    assert "policy 1" in keepsight.refused(*START, "--yes", code=2)

    assert "nothing" in keepsight("retention", "policy", "plan", "--set", "classes.1=").stdout
    assert policies(keepsight) == [1]
    keepsight("retention", "policy", "apply", "--set", "classes.1=", "--yes", *WHY)
    (first, second) = keepsight.json("retention", "policy", "history")
    assert (second["by"], second["reason"], second["changes"]) == ("Wu", "the plan", ["class 1: key-area -> none"])
    assert first["zone"] == second["zone"] == "Asia/Shanghai"
    assert [policy["version"] for policy in keepsight.json("retention", "policy", "show")] == [2]
    assert [tier["name"] for tier in keepsight.json("retention", "tiers")] == ["general", "key-area"]
    for words in (("policy", "show"), ("policy", "history"), ("tiers",), ("explain", "gate")):
        assert "general" in keepsight("retention", *words).stdout
    assert "policy 2 binds since" in keepsight("retention", "status").stdout


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_plan_comes_from_a_file(keepsight: Keepsight, ending: str) -> None:
    """TOML and JSON, with single values over it."""
    keepsight(*START, "--yes")
    port = {
        "floor": "longer of 90 days and 3 months",
        "keep_for": "6 months",
        "ceiling": "6 months and 7 days more",
        "purpose": "customs",
        "approver": "Li",
        "review": REVIEW,
    }
    lines = "\n".join(f'{name} = "{value}"' for name, value in port.items())
    toml = f'[tiers.port]\n{lines}\n[areas]\n"harbour/east" = "port"\n'
    file = keepsight.folder / f"plan.{ending}"
    file.write_text(toml if ending == "toml" else json.dumps({"tiers": {"port": port}, "areas": {"harbour/east": "port"}}))
    written = keepsight.json("retention", "policy", "apply", str(file), "--set", "areas.harbour=port", "--yes", *WHY)

    assert written["policy"]["areas"] == {"harbour": "port", "harbour/east": "port"}
    assert written["policy"]["tiers"]["port"]["keep_for"] == {"days": 0, "months": 6, "more_days": 0}
    assert [(each["camera"], each["after"]) for each in written["impact"]["cameras"]] == [("gate", ["port"])]


def test_nothing_is_changed_without_a_yes(keepsight: Keepsight) -> None:
    """Asked at the terminal; no, and no answer, leave everything as it is."""
    for answer in ("n\n", ""):
        assert "nothing was changed: answer with y, or say --yes" in keepsight(*START, text=answer, code=2).stderr
    assert policies(keepsight) == []
    keepsight(*START, text="y\n")
    assert policies(keepsight) == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retention", "tiers"], "no retention policy binds"),
        (["retention", "dry-run"], "no retention policy binds"),
        (["retention", "explain", "nobody"], "there is no camera nobody"),
        (["retention", "explain", "gate", "yesterday"], "'yesterday' is no day"),
        (["retention", "policy", "plan"], "nothing to change"),
        (["retention", "policy", "plan", "--set", "default"], "write NAME=VALUE"),
        (["retention", "policy", "plan", "--set", "default=general"], "has to be started first"),
        (["retention", "policy", "plan", "/no/such/plan.toml"], "cannot be read"),
        (["retention", "policy", "withdraw", "1", *WHY], "there is no policy 1"),
        (["retention", "start", "--approver", "Chen", "--review", "2020-01-01", "--yes"], "is over"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(keepsight: Keepsight, words: list[str], said: str) -> None:
    """Exit code 2, and nothing on standard output."""
    assert said in keepsight.refused(*words, code=2)


@pytest.mark.parametrize(("name", "text"), [("plan.toml", "default ="), ("plan.json", "{"), ("plan.json", "[]")])
def test_a_file_that_is_no_plan_is_refused(keepsight: Keepsight, name: str, text: str) -> None:
    """With its name."""
    (keepsight.folder / name).write_text(text)
    assert name in keepsight.refused("retention", "policy", "plan", str(keepsight.folder / name), code=2)


def test_a_shortening_is_announced_and_taken_back(keepsight: Keepsight) -> None:
    """With the notice of the settings; the explanation says so meanwhile."""
    keepsight(*START, "--yes")
    keepsight.configure("[retention]\nnotice_days = 7\n")
    keepsight("retention", "policy", "apply", "--set", "classes.1=", "--yes", *WHY)
    assert [each["policy"] for each in keepsight.json("retention", "status")["announced"]] == [2]
    assert [each["tier"] for each in keepsight.json("retention", "explain", "gate")["policies"]] == ["key-area", "general"]
    keepsight("retention", "policy", "withdraw", "2", "--yes", *WHY)
    assert keepsight.json("retention", "status")["announced"] == []
    assert "taken back" in keepsight("retention", "policy", "history").stdout


def test_explain_and_dry_run_say_what_would_go(keepsight: Keepsight) -> None:
    """Old footage of a day: its verdict, then the day as a sweep would begin it."""

    async def fill(index: Index) -> None:
        rows = some_rows(2, start_us=OLD_US)
        await index.publish_many(rows)
        await index.put_usage("gate", rows[0].day, await index.row_sums("gate", rows[0].day))

    keepsight(*START, "--yes")
    in_index(keepsight, fill)
    (group,) = keepsight.json("retention", "explain", "gate", OLD_DAY)["day"]["groups"]
    assert (group["segments"], group["why"], group["deletes"]) == (2, "due", True)
    assert "goes: due since" in keepsight("retention", "explain", "gate", OLD_DAY).stdout
    (plan,) = keepsight.json("retention", "dry-run")
    assert (plan["camera"], plan["day"], plan["segments"], plan["whole"]) == ("gate", OLD_DAY, 2, True)
    assert "1 camera-days, 2 segments" in keepsight("retention", "dry-run").stdout


def test_status_shows_what_does_not_go_on(keepsight: Keepsight) -> None:
    """A review that is due and a batch with a finding: exit code 1, and both are named; what went last, too."""

    async def fill(index: Index) -> None:
        await write_policy(index, a_policy(tiers={"general": general_tier("Chen", date(2020, 1, 1))}, classes={}))
        await index.put_batch(a_batch(state=BatchState.DELETING, finding="the pool refuses"), expect=None)
        await index.put_receipt(a_receipt())

    in_index(keepsight, fill)
    found = keepsight.json("retention", "status", code=1)
    assert found["reviews_due"] == [{"tier": "general", "review": "2020-01-01", "approver": "Chen"}]
    assert found["batches"] == {"deleting": 1}
    assert [each["finding"] for each in found["stuck"]] == ["the pool refuses"]
    assert [each["receipt"] for each in found["last_receipts"]] == ["sweep.0-of-1 1"]
    assert "the pool refuses" in keepsight("retention", "status", code=1).stdout
    assert "no sweep had stopped" in keepsight("retention", "clock", "accept", "--yes", "--by", "Wu").stdout


def test_cameras_are_changed_with_a_notice_and_only_to_tiers_there_are(keepsight: Keepsight) -> None:
    """What a camera was counts on; a tier nobody has heard of is refused at every door."""
    keepsight.configure("[retention]\nnotice_days = 7\n")
    keepsight("camera", "set", "gate", "tier=porch")
    in_index(keepsight, write_policy)
    said = keepsight("camera", "set", "gate", "class=3", "tier=").stdout
    assert "what it was counts, too, until" in said
    assert [each["tier"] for each in keepsight.json("retention", "explain", "gate")["policies"]] == ["general", "key-area", "key-area"]
    assert "counts" not in keepsight("camera", "set", "gate", "name=North gate").stdout

    refusal = "tier: 'porch' is in no retention policy; there are general, key-area"
    assert refusal in keepsight.refused("camera", "set", "gate", "tier=porch", code=2)
    assert refusal in keepsight.refused("camera", "add", "door", URL, "tier=porch", code=2)
    lines = keepsight.json("camera", "import", "-", text=f"id,url,tier\ndoor,{URL},porch\nyard,{URL},general\n", code=2)
    assert (lines["added"], lines["bad"][0]["reason"]) == (0, f"camera door: {refusal}, or none of its own")

    keepsight("camera", "remove", "gate")
    found = keepsight.json("retention", "explain", "gate")
    assert found["archived"] is False
    assert "counts for good" in found["policies"][-1]["counts"]


def test_pressure_is_foretold(keepsight: Keepsight) -> None:
    """Of a pool that is given ten gigabytes: with a gigabyte a day for a month and more it fills within weeks, and so does its floor."""
    keepsight.configure("[pools.main]\nkind = 'files'\nsize_bytes = 10_000_000_000\n")
    in_index(keepsight, lambda index: write_policy(index, a_policy(classes={})))
    assert keepsight.json("retention", "pressure")["pools"][0]["pressed"] is None

    async def fill(index: Index) -> None:
        for days in range(1, 8):
            day = (NOW - timedelta(days=days)).date()
            await index.put_usage("gate", day, {"main": UsageSum(1440, 10**9)})

    in_index(keepsight, fill)
    (pool,) = keepsight.json("retention", "pressure")["pools"]
    first = NOW.date() + timedelta(days=3)
    assert pool["pressed"] == pool["floor_breaks"] == first.isoformat()
    assert [(each["area"], each["camera_class"], each["day_bytes"]) for each in pool["contributors"]] == [("harbour", 1, 10**9)]
    said = keepsight("retention", "pressure")
    assert "1.0 GB a day" in " ".join(said.stdout.split())
    assert said.exit_code == 0


def test_a_floor_that_cannot_be_kept_is_an_exit_code(keepsight: Keepsight) -> None:
    """An open breach is named with its pool, what is missing and whom it hits."""
    in_index(keepsight, lambda index: write_policy(index))

    async def breach(index: Index) -> None:
        found = Breach("main", OLD_US, 5 * 10**9, (("gate", NOW.date()),), 0)
        await note_pressure(index, Pressure(OLD_US, {"main": Relief(pressed=True, breach=found)}))

    in_index(keepsight, breach)
    said = keepsight("retention", "pressure", code=1)
    assert "pool main lacks 5.0 GB" in " ".join(said.stdout.split())
    assert f"gate {NOW.date()}" in " ".join(said.stdout.split())
