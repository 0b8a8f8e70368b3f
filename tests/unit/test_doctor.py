"""`keepsight doctor`: what it finds on good and spoiled installations, its exit code, and that it says no secret."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import doctor, doctor_site
from deploy.doctor import MACHINE, Found, Verdict, examined, file_system
from deploy.doctor_site import SITE
from deploy.settings import load_settings
from segments.duty import Place
from segments.errors import TryAgain
from segments.stores.sqlite_index import open_sqlite_index
from tests.certificates import Authority
from tests.command_line import Keepsight, answering

STATUS = {"site": "home", "cameras": {"recording": 2}, "alarms": []}


@pytest.fixture
def keepsight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keepsight:
    """The command on an installation of its own; the tests' own disk counts as a good one."""
    monkeypatch.setattr(doctor_site, "LOOK_S", 0.05)
    monkeypatch.setattr(doctor, "file_system", lambda _: "ext4")
    return Keepsight(tmp_path)


def found(keepsight: Keepsight, code: int) -> dict[str, dict[str, str]]:
    """What `doctor --json` says, by what was looked at."""
    return {one["what"]: one for one in keepsight.json("doctor", code=code)}


def ill(findings: dict[str, dict[str, str]]) -> set[str]:
    return {name for name, one in findings.items() if one["verdict"] == "ill"}


def test_a_new_installation_is_well(keepsight: Keepsight) -> None:
    """Nothing is there yet and nothing is made: what the first start makes is noted, and nothing is ill."""
    findings = found(keepsight, 0)

    assert ill(findings) == set()
    assert {"versions", "configuration", "secrets", "clock", "spool", "index login", "index", "pool main", "service"} <= findings.keys()
    assert [path.name for path in keepsight.folder.iterdir()] == ["keepsight.toml"]


def test_an_installation_that_runs_is_well(keepsight: Keepsight) -> None:
    """Its disk, index, pool and service are looked at."""
    keepsight("config", "check")
    with answering(keepsight.api_port, 200, json.dumps(STATUS).encode()):
        findings = found(keepsight, 0)

    assert ill(findings) == set()
    good = {name for name, one in findings.items() if one["verdict"] == "good"}
    assert {"spool space", "spool file system", "spool sync", "index", "pool main", "service"} <= good
    assert findings["service"]["seen"].endswith("2 recording")
    assert "ms" in findings["spool sync"]["seen"]


def test_the_table_says_what_to_do(keepsight: Keepsight) -> None:
    """For people: each ill thing with its remedy; exit code 1."""
    keepsight("config", "check")
    keepsight.folder.joinpath("keepsight-data/keys/cameras.key").chmod(0o644)
    said = " ".join(keepsight("doctor", code=1).stdout.split())
    assert "1 of them ill" in said
    assert "see cameras.key_file" in said


def test_alarms_are_findings(keepsight: Keepsight) -> None:
    """What the service itself complains of."""
    said = {**STATUS, "alarms": ["the store cannot be reached"]}
    with answering(keepsight.api_port, 200, json.dumps(said).encode()):
        assert found(keepsight, 1)["alarm"]["seen"] == "the store cannot be reached"


@pytest.mark.parametrize(("status", "body"), [(200, b"hello"), (200, b"[]"), (401, b"{}"), (500, b"{}")])
def test_something_else_on_the_port_is_found(keepsight: Keepsight, status: int, body: bytes) -> None:
    """Another service, or one that refuses or fails."""
    with answering(keepsight.api_port, status, body):
        assert ill(found(keepsight, 1)) == {"service"}


def test_a_port_that_is_taken_is_found(keepsight: Keepsight) -> None:
    """With the setting to change."""
    port = load_settings(keepsight.config, {}).internal.port
    with socket.create_server(("127.0.0.1", port)):
        findings = found(keepsight, 1)
    assert ill(findings) == {"port of internal"}
    assert findings["port of internal"]["do"] == "set internal.port"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[spool]\nmin_free_bytes = 1152921504606846976\n", "spool space"),
        ("[clock]\nrequire_sync = true\n", "clock"),
        (
            "[pools.main]\nkind = 's3'\nendpoint = 'http://192.0.2.1:1'\nbucket = 'b'\naccess_key_id = 'k'\nsecret_file = 'none'\n",
            "configuration",
        ),
    ],
)
def test_spoiled_settings_are_found(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    """Each by its name, with what to do."""
    monkeypatch.setattr(doctor, "ClockSync", lambda: lambda: False)
    keepsight("config", "check")
    keepsight.config.write_text(keepsight.config.read_text().replace("[spool]\nmin_free_bytes = 0\n", "") + text)
    findings = found(keepsight, 1)
    assert what in ill(findings)
    assert findings[what]["do"]


def test_an_index_that_cannot_be_opened_is_found(keepsight: Keepsight) -> None:
    """Its own sentence; the other checks go on."""
    (keepsight.folder / "keepsight-data").mkdir()
    (keepsight.folder / "keepsight-data" / "index.sqlite").write_bytes(b"no database" * 1000)
    findings = found(keepsight, 1)
    assert ill(findings) == {"index"}
    assert "service" in findings


def a_place(**fields: Any) -> Place:
    good: dict[str, Any] = {"name": "local", "url": "http://127.0.0.1:1", "kinds": ("record-a",), "recorders": 1, "room": 256, "load": 3}
    return Place(**{**good, "spooled": (), "of": 1, "beat": 1, **fields})


async def test_places_that_do_not_report_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reports lives; one whose beat stands is ill, and so is one without recorders, and two that say one address."""
    settings = load_settings(None, {"KEEPSIGHT_SITE__FOLDER": str(tmp_path)})
    monkeypatch.setattr(doctor_site, "LOOK_S", 0.3)
    index = await open_sqlite_index(settings.index_path)
    places = [a_place(), a_place(name="dead", url="http://127.0.0.2:1"), a_place(name="empty", recorders=0)]
    for place in places:
        await index.put_place(place)

    async def report() -> None:
        await asyncio.sleep(0.1)
        for place in places[::2]:
            await index.put_place(replace(place, beat=2))

    reporting = asyncio.create_task(report())
    findings = [one async for one in examined(settings, [("index", doctor_site.index)], lambda _: None)]
    await reporting
    await index.close()

    verdicts = {one.what: one.verdict for one in findings}
    assert verdicts.pop("index") is Verdict.GOOD
    ill_ones = ("place dead", "place empty", "addresses", "duties")
    assert verdicts == {"place local": Verdict.GOOD, **dict.fromkeys(ill_ones, Verdict.ILL)}
    assert "does not report" in next(one.seen for one in findings if one.what == "place dead")


async def test_certificates_that_run_out_are_found(tmp_path: Path) -> None:
    """The tests' own live for a day, which is too short."""
    certificate, key = Authority(tmp_path).certify("keepsight.example")
    settings = load_settings(None, {"KEEPSIGHT_API__CERTIFICATE_FILE": str(certificate), "KEEPSIGHT_API__KEY_FILE": str(key)})
    (finding,) = await doctor_site.expiries(settings)
    assert (finding.what, finding.verdict) == ("certificate of api", Verdict.ILL)
    assert "runs out 20" in finding.seen


async def test_a_check_that_fails_or_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one is made all the same."""
    monkeypatch.setattr(doctor, "LIMIT_S", 0.05)

    async def fails(_: object) -> list[Found]:
        raise TryAgain("no server answers")

    async def hangs(_: object) -> list[Found]:
        await asyncio.sleep(60)
        return []

    async def works(_: object) -> list[Found]:
        return [Found("c", Verdict.GOOD, "")]

    said: list[str] = []
    checks = [("a", fails), ("b", hangs), ("c", works)]
    findings = [one async for one in examined(load_settings(None, {}), checks, said.append)]
    assert [(one.what, one.verdict) for one in findings] == [("a", "ill"), ("b", "ill"), ("c", "good")]
    assert findings[0].seen == "no server answers"
    assert said == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("folder", "kind"), [("/srv/spool/x", "ext4"), ("/srv", "overlay"), ("/srv/spooled", "overlay"), ("/mnt/a b/c", "nfs4")]
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, folder: str, kind: str) -> None:
    """As the kernel lists mounts, blanks in names included."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 0:1 / / rw - overlay overlay rw\n"
        "2 1 8:1 / /srv/spool rw,noatime shared:1 - ext4 /dev/sda1 rw\n"
        "3 1 0:9 / /mnt/a\\040b rw - nfs4 host:/x rw\n"
    )
    assert file_system(Path(folder), mounts) == kind


def test_every_check_has_a_name_of_its_own() -> None:
    """Progress and findings are told apart by it."""
    names = [name for name, _ in (*MACHINE, *SITE)]
    assert len(set(names)) == len(names)
