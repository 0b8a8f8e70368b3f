"""Camera passwords, sealed: AES-256-GCM with the key of a file, bound to the camera's id."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from segments.errors import DataDamaged, StartRefused
from segments.model import Credential

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens credentials. A sealed one moved to another camera does not open."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, camera: str, credential: Credential) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps([credential.user, credential.password]).encode()
        return nonce + self._cipher.encrypt(nonce, plain, camera.encode())

    def open(self, camera: str, sealed: bytes) -> Credential:
        """The credential; raises DataDamaged if key, camera or bytes are not those it was sealed with."""
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], camera.encode())
            user, password = json.loads(plain)
        except (InvalidTag, ValueError):
            raise DataDamaged(f"the credential of camera {camera} does not open with this key; set it again") from None
        return Credential(user, password)


def load_sealer(path: Path, *, create: bool, what: str = "the key of the camera passwords") -> Sealer:
    """The sealer of a key file, made if there is none and `create` is set; raises StartRefused if it is unfit or readable by others."""
    if create:
        make_secret_file(path, os.urandom(_KEY_BYTES).hex())
    return Sealer(bytes.fromhex(read_secret_file(path, what=what, hex_bytes=_KEY_BYTES)))


def make_secret_file(path: Path, text: str) -> None:
    """Makes a secret file that only we can read, durably, unless there is one; of several makers one wins. Raises StartRefused."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(draft, "x", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    except OSError as error:
        raise StartRefused(f"{path} cannot be made ({error.strerror}): let this user write to its folder") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def readable_by_others(about: os.stat_result, *, user: int, group: int) -> bool:
    """Whether anyone but this user (and root) can read a file.

    A file of root's that only our own group may read is ours: so a container platform hands a secret to a process that is not root.
    """
    lent = about.st_uid == 0 and user != 0 and about.st_gid == group
    return bool(stat.S_IMODE(about.st_mode) & (0o037 if lent else 0o077))


def read_secret_file(path: Path, *, what: str, hex_bytes: int = 0) -> str:
    """The text of a secret file; StartRefused if it is missing, empty, readable by others, or not `hex_bytes` bytes in hexadecimal."""
    try:
        about = path.stat()
        text = path.read_text().strip()
    except OSError as error:
        raise StartRefused(f"{path}: {what} cannot be read ({error.strerror})") from None
    except ValueError:
        raise StartRefused(f"{path}: {what} is not text") from None
    if readable_by_others(about, user=os.geteuid(), group=os.getegid()):
        raise StartRefused(f"{path}: {what} can be read by others; run: chmod 600 {path}")
    if not text:
        raise StartRefused(f"{path}: {what} is empty")
    if hex_bytes:
        try:
            right = len(bytes.fromhex(text)) == hex_bytes
        except ValueError:
            right = False
        if not right:
            raise StartRefused(f"{path}: {what} must be {hex_bytes} bytes in hexadecimal")
    return text
