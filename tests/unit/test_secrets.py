"""Sealed passwords, and files that hold secrets."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segments.errors import DataDamaged, StartRefused
from segments.secrets import Sealer, load_sealer, make_secret_file, read_secret_file, readable_by_others
from tests.builders import a_credential

KEY = bytes(range(32))


def test_a_credential_comes_back() -> None:
    """User and password as they were, whatever characters they hold, and never twice the same bytes."""
    credential = a_credential(user="管理员", password="pass:word@/?%")
    sealer = Sealer(KEY)

    one, two = sealer.seal("gate", credential), sealer.seal("gate", credential)

    assert sealer.open("gate", one) == sealer.open("gate", two) == credential
    assert one != two


def test_the_sealed_bytes_do_not_show_it() -> None:
    """Neither user nor password can be read out of what the index keeps, nor out of the value's own text."""
    sealed = Sealer(KEY).seal("gate", a_credential())

    assert b"admin" not in sealed
    assert b"correct horse" not in sealed
    assert "correct horse" not in repr(a_credential())


@pytest.mark.parametrize("spoil", ["camera", "key", "bytes", "short", "empty"])
def test_another_camera_key_or_bytes_do_not_open_it(spoil: str) -> None:
    """A sealed credential is bound to its camera, its key and every one of its bytes; the error names the camera and no secret."""
    sealed = Sealer(KEY).seal("gate", a_credential())
    camera = "door" if spoil == "camera" else "gate"
    sealer = Sealer(bytes(32)) if spoil == "key" else Sealer(KEY)
    sealed = {"bytes": sealed[:-1] + bytes([sealed[-1] ^ 1]), "short": sealed[:20], "empty": b""}.get(spoil, sealed)

    with pytest.raises(DataDamaged, match=camera) as error:
        sealer.open(camera, sealed)
    assert "horse" not in str(error.value)


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    """The first start makes it, with no rights for others; the second uses it."""
    path = tmp_path / "keys" / "cameras.key"
    sealed = load_sealer(path, create=True).seal("gate", a_credential())

    assert load_sealer(path, create=True).open("gate", sealed) == a_credential()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["cameras.key"]


def test_of_several_makers_one_wins(tmp_path: Path) -> None:
    """Processes that start together end with the same key."""
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as threads:
        for n in range(8):
            threads.submit(make_secret_file, path, f"{n}")

    assert path.read_text().strip() in {str(n) for n in range(8)}


def test_a_key_that_was_named_is_not_made(tmp_path: Path) -> None:
    """Where the settings name a file it must be there: a new key would open none of the old passwords."""
    with pytest.raises(StartRefused, match="cannot be read"):
        load_sealer(tmp_path / "cameras.key", create=False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_secret_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal says what to run."""
    path = tmp_path / "secret"
    path.write_text("abc")
    path.chmod(mode)

    with pytest.raises(StartRefused, match=f"chmod 600 {path}"):
        read_secret_file(path, what="the token")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "not text"), (b"zz" * 32, "hexadecimal"), (b"ab" * 31, "32 bytes")],
)
def test_an_unfit_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes, why: str) -> None:
    """The text says which file and what is wrong with it, and nothing of what is in it."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StartRefused, match=why) as error:
        read_secret_file(path, what="the key", hex_bytes=32)
    assert str(path) in str(error.value)
    assert "zz" not in str(error.value)


def test_a_folder_that_takes_no_key_is_refused(tmp_path: Path) -> None:
    """Where the key cannot be made the start is refused with the reason, not a traceback."""
    (tmp_path / "keys").write_text("a file")

    with pytest.raises(StartRefused, match="cannot be made"):
        load_sealer(tmp_path / "keys" / "cameras.key", create=True)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "others"),
    [(0o440, 0, 7, False), (0o400, 0, 7, False), (0o444, 0, 7, True), (0o460, 0, 7, True), (0o440, 0, 8, True), (0o440, 5, 7, True)],
)
def test_a_secret_lent_by_root_to_our_group_is_ours_alone(mode: int, owner: int, group: int, others: bool) -> None:
    """What a container platform mounts for a process that is not root (root's file, our group reads it) is accepted, and nothing wider."""
    about = os.stat_result((0o100000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert readable_by_others(about, user=5, group=7) is others
