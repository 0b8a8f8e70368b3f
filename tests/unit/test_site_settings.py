"""Other sites in the configuration: what is read, what is refused, what is started, and what the doctor says of them."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor import Verdict
from deploy.doctor_peers import about, sites
from deploy.peers import open_peers
from deploy.programs import programs
from deploy.safety import Rule, problems_of, problems_of_files
from deploy.settings import Settings, load_settings
from replication.ports import PROTOCOL, Hello
from segments.clock import US_PER_S
from segments.errors import StartRefused
from tests.asked_site import KEY, AskedSite, served
from tests.builders import NOON_US
from tests.clocks import HandClock
from tests.servers.processes import free_port

URL = "https://north.example:8482"


def settings_of(folder: Path, site: str = "", replication: str = "", *, url: str = URL, key: str = KEY) -> Settings:
    """South, which knows north, with lines added to both sections."""
    (folder / "north.key").touch(mode=0o600)
    (folder / "north.key").write_text(key)
    text = f'[site]\nname = "south"\n[sites.north]\nurl = "{url}"\nkey_file = "north.key"\n{site}\n[replication]\n{replication}\n'
    (folder / "keepsight.toml").write_text(text)
    return load_settings(folder / "keepsight.toml", {})


def test_a_site_is_read(tmp_path: Path) -> None:
    """With its rates by the hour, and its key beside the file."""
    north = settings_of(tmp_path, 'copy = false\nhours = [{ from = "08:00", to = "18:30", mbit_per_s = 20 }]').sites["north"]
    assert (north.url, north.key_file, north.copy_footage) == (URL, tmp_path / "north.key", False)
    assert [(rate.from_, rate.to, rate.mbit_per_s) for rate in north.hours] == [(time(8), time(18, 30), 20)]


@pytest.mark.parametrize(
    ("site", "replication", "url"),
    [
        ("", "", "north.example:8482"),
        ("", "", "https://user:canary@north.example"),
        ("", "", "https://north.example/sites"),
        ('links = ["s3.example"]', "", URL),
        ("mbit_per_s = 0", "", URL),
        ('hours = [{ from = "8", to = "18:00", mbit_per_s = 1 }]', "", URL),
        ("coppy = true", "", URL),
        ("", 'witness = "west"', URL),
        ("", 'backup_pool = "other"', URL),
        ("", 'certificate_file = "a.pem"', URL),
        ("", "port = 8481", URL),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, site: str, replication: str, url: str) -> None:
    """With a sentence that names the key and holds no password."""
    with pytest.raises(StartRefused) as caught:
        settings_of(tmp_path, site, replication, url=url)
    assert "canary" not in str(caught.value)


def test_a_site_is_not_its_own_neighbour(tmp_path: Path) -> None:
    """Neither by name nor by address."""
    with pytest.raises(StartRefused, match="this very site"):
        load_settings(None, {"KEEPSIGHT_SITE__NAME": "north", "KEEPSIGHT_SITES__NORTH__URL": URL, "KEEPSIGHT_SITES__NORTH__KEY_FILE": "k"})
    (problem,) = problems_of(settings_of(tmp_path, replication=f'advertise = "{URL}"'))
    assert (problem.rule, problem.mend) == (Rule.OWN_SITE, "set the other site's address")


@pytest.mark.parametrize(
    ("site", "replication", "url", "rules"),
    [
        ("", "", URL, []),
        ("", "", "http://127.0.0.1:1", []),
        ("", "", "http://10.0.0.1:8482", [Rule.SITES_TLS]),
        ("plain = true", "", "http://10.0.0.1:8482", []),
        ('links = ["https://10.0.0.2", "http://127.0.0.1:9000"]', "", URL, []),
        ('links = ["https://10.0.0.2", "http://10.0.0.2:9000"]', "", URL, [Rule.SITES_TLS]),
        ('links = ["http://10.0.0.2:9000"]\nplain = true', "", URL, []),
        ("", 'host = "0.0.0.0"', URL, [Rule.SITES_TLS]),
        ("plain = true", 'host = "0.0.0.0"', URL, []),
        ("", 'host = "0.0.0.0"\ncertificate_file = "a"\ncertificate_key_file = "b"', URL, []),
    ],
)
def test_plain_connections_between_sites_are_refused(tmp_path: Path, site: str, replication: str, url: str, rules: list[Rule]) -> None:
    """Off loopback both ways are by TLS, unless the administrator says that nobody else can listen."""
    assert [problem.rule for problem in problems_of(settings_of(tmp_path, site, replication, url=url))] == rules


@pytest.mark.parametrize(("key", "mode", "rule"), [(KEY, 0o644, Rule.OPEN_FILE), ("k3y" * 10, 0o600, Rule.GUESSED), (KEY, 0o600, None)])
def test_keys_of_sites_are_looked_at(tmp_path: Path, key: str, mode: int, rule: Rule | None) -> None:
    """One that others can read, or that is short, is refused; it is not told."""
    settings = settings_of(tmp_path, key=key)
    (tmp_path / "north.key").chmod(mode)
    found = problems_of_files(settings)
    assert [problem.rule for problem in found] == ([] if rule is None else [rule])
    assert key not in str(found)


def test_the_program_is_started_where_sites_are(tmp_path: Path) -> None:
    """And not where there are none."""
    assert "peers" in [program.name for program in programs(settings_of(tmp_path), None)]
    assert "peers" not in [program.name for program in programs(load_settings(None, {}), None)]


async def test_without_sites_there_are_no_peers() -> None:
    """Nothing is opened for sites that are not."""
    async with open_peers(load_settings(None, {})) as peers:
        assert peers == {}


@pytest.mark.parametrize(("missing", "word"), [("key", "the key shared with site north"), ("ca", r"sites\.north\.ca_file")])
async def test_peers_that_cannot_be_opened(tmp_path: Path, missing: str, word: str) -> None:
    """The setting or the key is named."""
    settings = settings_of(tmp_path, 'ca_file = "none.pem"' if missing == "ca" else "")
    if missing == "key":
        (tmp_path / "north.key").unlink()
    with pytest.raises(StartRefused, match=word):
        async with open_peers(settings):
            pass


# --- the doctor ---


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, [Verdict.GOOD]),
        ({"now_us": NOON_US + 900_000}, [Verdict.GOOD]),
        ({"now_us": NOON_US + 2 * US_PER_S}, [Verdict.GOOD, Verdict.ILL]),
        ({"now_us": NOON_US - 2 * US_PER_S}, [Verdict.GOOD, Verdict.ILL]),
        ({"camera_key": "another"}, [Verdict.GOOD, Verdict.NOTED]),
    ],
)
def test_what_an_answer_tells(tmp_path: Path, changes: dict[str, Any], verdicts: list[Verdict]) -> None:
    """A clock that differs by over a second is ill; another camera key is worth knowing."""
    hello = Hello(**{"site": "north", "protocol": PROTOCOL, "version": "1", "now_us": NOON_US, "epoch": 1, "camera_key": ""} | changes)
    found = about(hello, settings_of(tmp_path), now_us=NOON_US, took_us=20_000)
    assert [one.verdict for one in found] == verdicts


async def test_sites_that_answer_and_sites_that_do_not(tmp_path: Path) -> None:
    """Each site is found as it is; without sites there is nothing to say."""
    site = AskedSite()
    async with served(site, tmp_path, HandClock()) as (url, ca_file):
        found = await sites(settings_of(tmp_path, f'ca_file = "{ca_file}"', url=url), HandClock())
    assert [one.verdict for one in found] == [Verdict.GOOD, Verdict.NOTED]
    (away,) = await sites(settings_of(tmp_path, url=f"https://127.0.0.1:{free_port()}"), HandClock())
    assert (away.verdict, away.what) == (Verdict.ILL, "site north")
    assert await sites(load_settings(None, {})) == []
