"""The configuration: every key, its overrides, its refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from deploy.settings import FilePool, S3Pool, Settings, base_url, load_settings
from segments.errors import StartRefused

VALUES: dict[str, Any] = {
    "site.name": "xiamen",
    "site.folder": "/srv/keepsight",
    "spool.folder": "/fast/spool",
    "spool.max_bytes": 1 << 30,
    "spool.min_free_bytes": 1 << 20,
    "index.kind": "sqlite",
    "index.path": "/srv/index.sqlite",
    "default_pool": "archive",
    "api.host": "::1",
    "api.port": 9000,
    "api.token_file": "/etc/keepsight/token",
    "internal.host": "10.1.2.3",
    "internal.port": 9001,
    "internal.key_file": "/etc/keepsight/internal.key",
    "fleet.kind": "local",
    "fleet.recorders": 3,
    "fleet.lease_s": 5.0,
    "recording.segment_s": 30,
    "recording.silence_s": 4.5,
    "cameras.networks": ["10.9.0.0/16", "fd00::/8"],
    "cameras.allow_loopback": True,
    "cameras.key_file": "/etc/keepsight/cameras.key",
    "retention.shortest_floor_days": 7,
}
"""A value for each key that is not the default."""


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of the configuration but those of pools."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{name}.")
        elif name != "pools":
            yield prefix + name


def written(folder: Path, text: str) -> Path:
    path = folder / "keepsight.toml"
    path.write_text(text)
    return path


def value_of(settings: Settings, key: str) -> Any:
    value = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def test_this_test_knows_every_key() -> None:
    """A key that is added must be added here."""
    assert set(keys(Settings)) == set(VALUES)
    assert len(get_args(Settings.model_fields["pools"].annotation)) == 2


def in_toml(key: str) -> str:
    *section, name = key.split(".")
    line = f"{name} = {json.dumps(VALUES[key])}\n"
    pools = '[pools.main]\nkind = "files"\n[pools.archive]\nkind = "files"\n' if key == "default_pool" else ""
    return (f"[{section[0]}]\n" if section else "") + line + pools


@pytest.mark.parametrize("key", VALUES)
def test_every_key_is_read(tmp_path: Path, key: str) -> None:
    """From the file, alone, as it is meant."""
    settings = load_settings(written(tmp_path, in_toml(key)), {})

    assert plain(value_of(settings, key)) == VALUES[key]


@pytest.mark.parametrize("key", VALUES)
def test_the_environment_overrides_every_key(tmp_path: Path, key: str) -> None:
    """A variable wins over the file, whatever the file says."""
    value = VALUES[key]
    text = ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
    pools = {"KEEPSIGHT_POOLS__ARCHIVE__KIND": "files", "KEEPSIGHT_POOLS__MAIN__KIND": "files"} if key == "default_pool" else {}
    name = "KEEPSIGHT_" + key.replace(".", "__").upper()
    other = '[site]\nname = "home"\n'

    settings = load_settings(written(tmp_path, other), {name: text, **pools, "PATH": "/bin", "KEEPSIGHT_CONFIG": "x"})

    assert plain(value_of(settings, key)) == value


def test_pools_of_both_kinds(tmp_path: Path) -> None:
    """By name; an S3 pool names a file that holds its secret, never the secret."""
    text = """
default_pool = "far"
[pools.near]
kind = "files"
folder = "near"
[pools.far]
kind = "s3"
endpoint = "https://s3.example"
bucket = "footage"
access_key_id = "AK"
secret_file = "far.secret"
"""
    settings = load_settings(written(tmp_path, text), {})

    assert settings.pools == {
        "near": FilePool(folder=tmp_path / "near"),
        "far": S3Pool(kind="s3", endpoint="https://s3.example", bucket="footage", access_key_id="AK", secret_file=tmp_path / "far.secret"),
    }
    assert settings.default_pool == "far"


def test_defaults_lie_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file everything is under ./keepsight-data, as an absolute path."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})

    home = tmp_path / "keepsight-data"
    assert settings.spool_folder == home / "spool"
    assert settings.index_path == home / "index.sqlite"
    assert settings.camera_key_path == home / "keys" / "cameras.key"
    assert settings.internal_key_path == home / "keys" / "internal.key"
    assert settings.socket_path == home / "run" / "uploader.sock"


def test_relative_paths_belong_to_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not to wherever the program was started."""
    monkeypatch.chdir("/")
    text = """
[site]
folder = "data"
[spool]
folder = "spool"
[index]
path = "i.sqlite"
[api]
token_file = "t"
[internal]
key_file = "k"
[cameras]
key_file = "c"
"""
    settings = load_settings(written(tmp_path, text), {})

    assert [
        settings.site.folder,
        settings.spool_folder,
        settings.index_path,
        settings.api.token_file,
        settings.internal_key_path,
        settings.camera_key_path,
    ] == [tmp_path / name for name in ("data", "spool", "i.sqlite", "t", "k", "c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nprot = 1\n", "api.prot: unknown key"),
        ("[ap]\nport = 1\n", "ap: unknown key"),
        ("[pools.main]\nkind = 'files'\nfoldr = 'x'\n", "foldr: unknown key"),
        ("[pools.main]\nkind = 'tape'\n", "pools.main"),
        ("[pools.main]\nfolder = 'x'\n", "pools.main"),
        ("[pools.'../x']\nkind = 'files'\n", "pools"),
        ("[pools.'']\nkind = 'files'\n", "pools"),
        ("[pools.main]\nkind = 's3'\n", "endpoint"),
        ("default_pool = 'no'\n", "default_pool 'no' is not one of the pools"),
        ("[site]\nname = 'has-dash'\n", "site.name"),
        ("[site]\nname = ''\n", "site.name"),
        ("[spool]\nmax_bytes = 5\n", "spool.max_bytes"),
        ("[fleet]\nlease_s = 1\n", "fleet.lease_s"),
        ("[fleet]\nrecorders = 0\n", "fleet.recorders"),
        ("[recording]\nsegment_s = 301\n", "recording.segment_s"),
        ("[cameras]\nnetworks = ['10.0.0.1/8']\n", "cameras.networks"),
        ("[api]\nport = 0\n", "api.port"),
        ("[api]\nport = 70000\n", "api.port"),
        ("[api]\nport = 8481\n", "must differ"),
        ("[retention]\nshortest_floor_days = 0\n", "shortest_floor_days"),
        ("api = 3\n", "api"),
        ("not toml", "not TOML"),
        ("[api]\nport = 'x'\n[site]\nname = '!'\n", "site.name"),
    ],
)
def test_wrong_configurations_are_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """The refusal names file and key; all wrong keys at once."""
    path = written(tmp_path, text)

    with pytest.raises(StartRefused) as error:
        load_settings(path, {})
    assert str(path) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or no text."""
    path = tmp_path / "keepsight.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartRefused, match=str(path)):
        load_settings(path, {})


def test_a_variable_through_a_value_is_refused(tmp_path: Path) -> None:
    """`KEEPSIGHT_SITE__NAME__X` has nowhere to go; an unknown one is refused like an unknown key."""
    with pytest.raises(StartRefused, match="KEEPSIGHT_SITE__NAME__X"):
        load_settings(written(tmp_path, "[site]\nname = 'a'\n"), {"KEEPSIGHT_SITE__NAME__X": "1"})
    with pytest.raises(StartRefused, match=r"api\.prot: unknown key"):
        load_settings(None, {"KEEPSIGHT_API__PROT": "1"})


# --- promise R25 (8): the API off loopback without access control ---


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "keepsight.example"])
def test_off_loopback_without_a_token_is_refused(host: str) -> None:
    """Footage is not for everybody in reach."""
    with pytest.raises(StartRefused, match=r"set api\.token_file, or bind to 127\.0\.0\.1"):
        load_settings(None, {"KEEPSIGHT_API__HOST": host})


@pytest.mark.parametrize(
    "environment",
    [
        {"KEEPSIGHT_API__HOST": "127.0.0.1"},
        {"KEEPSIGHT_API__HOST": "::1"},
        {"KEEPSIGHT_API__HOST": "localhost"},
        {"KEEPSIGHT_API__HOST": "0.0.0.0", "KEEPSIGHT_API__TOKEN_FILE": "/etc/token"},
    ],
)
def test_on_loopback_or_with_a_token_it_starts(environment: dict[str, str]) -> None:
    """The counterpart."""
    assert load_settings(None, environment).api.host == environment["KEEPSIGHT_API__HOST"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8480"),
        ("::1", "http://[::1]:8480"),
        ("0.0.0.0", "http://127.0.0.1:8480"),
        ("::", "http://[::1]:8480"),
    ],
)
def test_neighbours_reach_a_host_by_its_url(host: str, url: str) -> None:
    """Also where it listens everywhere, or by IPv6."""
    assert base_url(host, 8480) == url
