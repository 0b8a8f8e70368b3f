"""Pools in the configuration: kinds, rules, keys, and what is refused of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.safety import secret_files
from deploy.settings import FilePool, S3Pool, load_settings
from segments.errors import StartRefused
from segments.pools import PoolRule, PoolRules, PoolState


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "keepsight.toml"
    path.write_text(text)
    return path


RULED = """
default_pool = "main"
[pools]
main = { kind = "files", state = "closed", size_bytes = 2_000_000_000_000 }
east = { kind = "files" }
west = { kind = "files", state = "drained" }
[[pool_rules]]
area = "harbour"
camera_class = 1
pools = "east"
[[pool_rules]]
owner = "police"
pools = ["east", "west"]
[[pool_rules]]
pools = { east = 2, west = 0.5 }
"""


def test_rules_of_pools_are_read_in_order(tmp_path: Path) -> None:
    """A name, names, or names with weights; what a rule leaves out fits all. States and sizes are those of the pools."""
    settings = load_settings(written(tmp_path, RULED), {})

    assert settings.pool_assignment == PoolRules(
        {"main": PoolState.CLOSED, "east": PoolState.OPEN, "west": PoolState.DRAINED},
        "main",
        [PoolRule({"east": 1.0}, "harbour", 1), PoolRule({"east": 1.0, "west": 1.0}, owner="police"), PoolRule({"east": 2.0, "west": 0.5})],
    )
    assert [settings.pools[name].size_bytes for name in ("main", "east")] == [2 * 10**12, None]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("pools = 'north'", "pool_rules name north, not one of the pools"),
        ("pools = {}", "pool_rules.0.pools"),
        ("pools = { east = 0 }", "pool_rules.0.pools.east"),
        ("pools = 'east'\ncamera_class = 4", "pool_rules.0.camera_class"),
        ("area = 'harbour'", "pool_rules.0.pools"),
        ("pools = 'east'\nclass = 1", "pool_rules.0.class: unknown key"),
    ],
)
def test_wrong_rules_are_refused_by_name(tmp_path: Path, wrong: str, said: str) -> None:
    """With the number of the rule and the key."""
    text = f'default_pool = "east"\n[pools]\neast = {{ kind = "files" }}\n[[pool_rules]]\n{wrong}\n'
    with pytest.raises(StartRefused, match=re.escape(said)):
        load_settings(written(tmp_path, text), {})


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


LOCKED = """
default_pool = "far"
[pools.far]
kind = "s3"
endpoint = "https://s3.example"
bucket = "footage"
access_key_id = "AK"
secret_file = "far.secret"
needs = ["object-lock"]
"""


def test_locks_may_have_a_key_of_their_own(tmp_path: Path) -> None:
    """Its file is looked at like every other secret's."""
    text = LOCKED + 'locks_access_key_id = "LK"\nlocks_secret_file = "locks.secret"\n'
    files = {file.setting: file.path for file in secret_files(load_settings(written(tmp_path, text), {}))}

    assert files["pools.far.locks_secret_file"] == tmp_path / "locks.secret"


@pytest.mark.parametrize("half", ['locks_access_key_id = "LK"', 'locks_secret_file = "locks.secret"'])
def test_half_a_key_for_locks_is_refused(tmp_path: Path, half: str) -> None:
    """The id and the file belong together."""
    with pytest.raises(StartRefused, match="belong together"):
        load_settings(written(tmp_path, LOCKED + half + "\n"), {})
