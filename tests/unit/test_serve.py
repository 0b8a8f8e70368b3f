"""What a start refuses, and that it says so in a sentence (promise R25, rows 7, 10 and 11, and what else makes a start unsafe)."""

from __future__ import annotations

import os
import socket
import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest

from deploy.programs import programs, recorder_orders
from deploy.serve import check_stores, checked
from deploy.settings import Settings, load_settings
from deploy.uploader_process import run_uploader
from deploy.wiring import internal_key
from recorder.spool_folder import spool_lock
from segments.errors import StartRefused
from tests.servers.processes import free_port

needs_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def settings_in(folder: Path, text: str = "") -> Settings:
    """A configuration that can be started on, but for what `text` spoils."""
    ports = f"[api]\nport = {free_port()}\n[internal]\nport = {free_port()}\n" if "port" not in text else ""
    spool = "[spool]\nmin_free_bytes = 0\n" if "[spool]" not in text else ""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "keepsight.toml").write_text(f"{ports}{spool}{text}")
    return load_settings(folder / "keepsight.toml", {})


async def refused(settings: Settings) -> str:
    """The sentence a start is refused with."""
    with pytest.raises(StartRefused) as error, checked(settings):
        await check_stores(settings)
    return str(error.value)


async def test_a_good_configuration_is_right(tmp_path: Path) -> None:
    """The negative control of all tests below: nothing is spoiled, nothing is refused; keys are made for their owner only."""
    settings = settings_in(tmp_path)

    with checked(settings):
        await check_stores(settings)

    assert settings.spool_folder.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keepsight-data" / "keys").iterdir()} == {0o600}


async def test_a_spool_open_to_others_is_refused(tmp_path: Path) -> None:
    """R25 (7): footage of the spool is for its owner; the refusal says what to run."""
    settings = settings_in(tmp_path)
    settings.spool_folder.mkdir(parents=True)
    settings.spool_folder.chmod(0o755)

    assert f"chmod 700 {settings.spool_folder}" in await refused(settings)


@pytest.mark.parametrize("which", ["camera key", "internal key", "token", "pool secret"])
async def test_a_secret_others_can_read_is_refused(tmp_path: Path, which: str) -> None:
    """R25 (7): whichever secret it is."""
    path = tmp_path / "secret"
    path.write_text("ab" * 32)
    path.chmod(0o644)
    ports = f"[api]\nport = {free_port()}\n", f"[internal]\nport = {free_port()}\n"
    bucket = "[pools.main]\nkind = 's3'\nendpoint = 'http://127.0.0.1:1'\nbucket = 'b'\naccess_key_id = 'k'\n"
    text = {
        "camera key": f"[cameras]\nkey_file = '{path}'\n",
        "internal key": f"{ports[1]}key_file = '{path}'\n{ports[0]}",
        "token": f"{ports[0]}token_file = '{path}'\n{ports[1]}",
        "pool secret": f"{bucket}secret_file = '{path}'\n",
    }[which]
    settings = settings_in(tmp_path, text)

    assert f"chmod 600 {path}" in await refused(settings)
    path.chmod(0o600)
    if which != "pool secret":
        with checked(settings):
            await check_stores(settings)


async def test_a_schema_from_the_future_is_refused(tmp_path: Path) -> None:
    """R25 (10): a newer program's index is not touched."""
    settings = settings_in(tmp_path)
    with checked(settings):
        await check_stores(settings)
    with sqlite3.connect(settings.index_path) as index:
        index.execute("INSERT INTO schema_step (number) VALUES (9999)")
    index.close()

    assert "newer program" in await refused(settings)


async def test_an_index_that_is_none_is_refused(tmp_path: Path) -> None:
    """Another file under its name is named, not overwritten."""
    settings = settings_in(tmp_path)
    settings.index_path.parent.mkdir(parents=True)
    settings.index_path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)

    assert str(settings.index_path) in await refused(settings)
    assert settings.index_path.read_bytes().startswith(b"not a database")


async def test_two_services_on_one_spool_are_refused(tmp_path: Path) -> None:
    """R25 (11): the second says so, and starts when the first has gone."""
    settings = settings_in(tmp_path)
    with checked(settings):
        assert "in use by another service" in await refused(settings)
    with checked(settings), pytest.raises(StartRefused), spool_lock(settings.spool_folder):
        pass
    with checked(settings):
        await check_stores(settings)


async def test_an_uploader_holds_its_spool_whoever_started_it(tmp_path: Path) -> None:
    """R25 (11): also where no `keepsight serve` looked before, as in a fleet; it has touched nothing then."""
    settings = settings_in(tmp_path)
    settings.spool_folder.mkdir(parents=True, mode=0o700)
    with spool_lock(settings.spool_folder), pytest.raises(StartRefused, match="in use by another service"):
        await run_uploader(settings)

    assert not settings.index_path.exists()


async def test_a_spool_without_space_is_refused(tmp_path: Path) -> None:
    """With both figures."""
    settings = settings_in(tmp_path, f"[spool]\nmin_free_bytes = {1 << 60}\n")

    assert "bytes free and needs" in await refused(settings)


@pytest.mark.parametrize("where", ["site", "spool", "pool", "index"])
async def test_a_folder_that_cannot_be_is_refused(tmp_path: Path, where: str) -> None:
    """A file lies where a folder should: the refusal names it, with a reason and no traceback."""
    block = tmp_path / "block"
    block.write_text("")
    text = {
        "site": f"[site]\nfolder = '{block}/x'\n",
        "spool": f"[spool]\nmin_free_bytes = 0\nfolder = '{block}/x'\n",
        "pool": f"[pools.main]\nkind = 'files'\nfolder = '{block}/x'\n",
        "index": f"[index]\npath = '{block}/x/i.sqlite'\n",
    }[where]

    assert f"{block}/x" in await refused(settings_in(tmp_path, text))


@needs_user
@pytest.mark.parametrize("where", ["spool", "pool", "index"])
async def test_a_folder_that_is_read_only_is_refused(tmp_path: Path, where: str) -> None:
    """Before anything is recorded."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    text = {
        "spool": f"[spool]\nmin_free_bytes = 0\nfolder = '{folder}'\n",
        "pool": f"[pools.main]\nkind = 'files'\nfolder = '{folder}'\n",
        "index": f"[index]\npath = '{folder}/i.sqlite'\n",
    }[where]

    assert str(folder) in await refused(settings_in(tmp_path, text))


@pytest.mark.parametrize("which", ["api", "internal"])
async def test_a_port_in_use_is_refused(tmp_path: Path, which: str) -> None:
    """With the key to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        ports = {"api": (taken, free), "internal": (free, taken)}[which]
        settings = settings_in(tmp_path, f"[api]\nport = {ports[0]}\n[internal]\nport = {ports[1]}\n")

        assert f"{which}.port: 127.0.0.1:{taken} cannot be listened on" in await refused(settings)


async def test_a_pool_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    """By its name."""
    secret = tmp_path / "secret"
    secret.write_text("a secret of a store")
    secret.chmod(0o600)
    text = (
        f"default_pool = 'far'\n[pools.far]\nkind = 's3'\nendpoint = 'http://127.0.0.1:{free_port()}'\nbucket = 'b'\n"
        f"access_key_id = 'k'\nsecret_file = '{secret}'\n[spool]\nmin_free_bytes = 0\n"
    )
    (tmp_path / "keepsight.toml").write_text(text)
    settings = load_settings(
        tmp_path / "keepsight.toml", {"KEEPSIGHT_API__PORT": str(free_port()), "KEEPSIGHT_INTERNAL__PORT": str(free_port())}
    )

    assert "pool far cannot be used" in await refused(settings)


def test_recorders_are_told_no_key_and_no_store(tmp_path: Path) -> None:
    """Neither on their command line nor by their environment; the others see the whole of it. Recorders end before the uploader."""
    settings = settings_in(tmp_path, "[fleet]\nrecorders = 3\n")
    with checked(settings):
        key = internal_key(settings)

    found = programs(settings, tmp_path / "keepsight.toml")

    assert [program.name for program in found] == ["uploader", "recorder-0", "recorder-1", "recorder-2", "duties", "exports", "api"]
    recorders = [program for program in found if program.name.startswith("recorder")]
    assert not any(program.trusted for program in recorders)
    assert all(str(settings.index_path) not in word and key not in word for program in recorders for word in program.command)
    folders = {name for name, value in asdict(recorder_orders(settings, 0)).items() if isinstance(value, str) and "/" in value}
    assert folders == {"socket", "spool"}
    assert {program.stage for program in recorders} == {1}
    assert found[0].stage == 0
