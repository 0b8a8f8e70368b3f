"""The first start: one administrator with a password that is shown once, and nobody where nobody looks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from deploy.api_access import access_of, identity_for
from deploy.first_start import NAME, first_administrator, first_start
from deploy.settings import Settings, load_settings
from deploy.wiring import api_token, open_index
from playback.access import Open
from playback.identity.passwords import Cost, hash_of
from playback.identity.users import USERS
from segments.access import Role
from segments.clock import SystemClock
from tests.api import Api


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost little."""
    monkeypatch.setattr("playback.identity.passwords.hash_of", lambda password, _cost: hash_of(password, Cost(16, 1, 1)))


def settings_in(folder: Path, text: str = "") -> Settings:
    """Of a configuration in this folder."""
    path = folder / "keepsight.toml"
    path.write_text(f"[site]\nfolder = 'data'\n{text}")
    return load_settings(path, {})


@pytest.mark.usefixtures("fast")
async def test_on_a_terminal_one_administrator_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """Its password is said once, opens, and stands neither in a log nor anywhere in the folder; a second start says nothing."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    settings, said = settings_in(tmp_path), []
    with caplog.at_level(logging.DEBUG):
        await first_start(settings, said.append)
        await first_start(settings, said.append)
    assert len(said) == 2
    assert "keepsight user password admin" in said[1]
    password = said[0].rpartition(" ")[2]
    async with open_index(settings) as index:
        subject = await identity_for(settings, index, SystemClock()).users.signed_in(NAME, password)
        (record,) = await index.records(USERS)
    assert subject is not None
    assert subject.scope.everything
    assert subject.roles == {Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR, Role.PLANNER}
    assert password not in record.text + caplog.text
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]


async def test_without_a_terminal_nobody_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """What is printed there would stand in a log; the log says what to run."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    settings, said = settings_in(tmp_path), []
    await first_start(settings, said.append)
    async with open_index(settings) as index:
        assert await index.records(USERS) == []
    assert said == []
    assert "access.nobody" in caplog.text
    assert "keepsight user add admin --administrator" in caplog.text


@pytest.mark.parametrize("text", ["[access]\nopen = true\n", "[api]\ntoken_file = 'token'\n"])
async def test_where_somebody_can_come_in_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A token of the site, or nobody asked."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said: list[str] = []
    await first_start(settings_in(tmp_path, text), said.append)
    assert said == []


@pytest.mark.usefixtures("fast")
async def test_of_two_starts_at_once_one_makes_it() -> None:
    """The other one says nothing: its password would open nothing."""
    settings, api = Settings(), Api()
    identity = identity_for(settings, api.index, api.clock)
    assert [bool(await first_administrator(identity)) for _ in range(2)] == [True, False]


async def test_commands_of_this_machine_have_a_key(tmp_path: Path) -> None:
    """The start makes it, for its user alone, and it opens; with open access there is none and needs to be none."""
    settings, api = settings_in(tmp_path), Api()
    assert api_token(settings) is None
    access = access_of(settings, identity_for(settings, api.index, api.clock))
    key = api_token(settings)
    assert key is not None
    assert settings.local_key_path.stat().st_mode & 0o777 == 0o600
    async with api.client(access=access) as client:
        assert (await client.get("cameras")).status_code == 401
        assert (await client.get("cameras", headers={"Authorization": f"Bearer {key}"})).status_code == 200
    is_open = settings_in(tmp_path, "[access]\nopen = true\n")
    assert isinstance(access_of(is_open, identity_for(is_open, api.index, api.clock)), Open)
    assert api_token(is_open) is None
