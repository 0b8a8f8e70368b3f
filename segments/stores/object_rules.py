"""What every object store accepts: one set of rules, so that no store takes what another would refuse.

The limits are those of the narrowest: S3 (keys of 1,024 bytes, 2 KiB of user metadata, 1,000 entries a request) and Linux file names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from segments.errors import BadInput, DataDamaged
from segments.ports import Body

MAX_KEY_BYTES = 1024
MAX_PART_BYTES = 200
"""Of a key between two slashes: a file name is at most 255 bytes, and what lies beside the object needs a longer one."""
MAX_ATTRIBUTES_BYTES = 2048
"""Names and values together, as S3 counts them: in their encoded form."""
MAX_OBJECT_BYTES = 1 << 30
"""One put is one request; a segment lasts at most 5 min and stays far below."""
MAX_KEYS = 1000
"""Of one page of a listing and of one delete."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_RESERVED = {"sha256", "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "storage-class"}
_ODD_SPACE = re.compile(r"^ | $| (?= )|(?<= ) ")
_PRINTABLE = frozenset(range(0x20, 0x7F)) - {ord("%")}


def check_key(key: str) -> None:
    """Raises BadInput unless `key` can be stored everywhere: parts of 1-200 bytes, none beginning with a dot, joined by single slashes."""
    if not all(map(_is_part, key.split("/"))) or len(key.encode()) > MAX_KEY_BYTES:
        raise BadInput(
            f"{key[:200]!r} cannot be the key of an object: at most {MAX_KEY_BYTES} bytes, in parts of 1-{MAX_PART_BYTES} bytes "
            "joined by '/', none of which begins with a dot or holds a backslash or a control character"
        )


def folder_of(prefix: str) -> str | None:
    """The part of a listing's prefix up to its last slash (without it); None if no key can lie there."""
    folder, slash, _ = prefix.rpartition("/")
    return None if slash and not all(map(_is_part, folder.split("/"))) else folder


def _is_part(part: str) -> bool:
    return not part.startswith(".") and _CONTROL.search(part) is None and 1 <= len(part.encode()) <= MAX_PART_BYTES


def check_put(key: str, sha256: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Gives the attributes as they are kept, with names in lower case; raises BadInput unless all can be stored everywhere.

    Names are letters, digits and hyphens, without difference of case (they are names of HTTP headers in S3, and proxies drop underscores);
    values are any text.
    """
    check_key(key)
    if not _SHA256.fullmatch(sha256):
        raise BadInput(f"{key!r}: the SHA-256 must be 64 lower-case hexadecimal digits")
    kept = {name.lower(): value for name, value in attributes.items()}
    if len(kept) < len(attributes):
        raise BadInput(f"{key!r}: two names of attributes differ in case only")
    for name, value in kept.items():
        if _SURROGATE.search(value):
            raise BadInput(f"{key!r}: the attribute {name[:80]!r} holds half a character (a lone surrogate)")
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise BadInput(
                f"{key!r}: {name[:80]!r} cannot name an attribute: A-Z, 0-9 and '-', up to 64, and not a word of HTTP or 'sha256'"
            )
    taken = sum(len(name) + len(encode_value(value)) for name, value in kept.items()) + len("sha256") + len(sha256)
    if taken > MAX_ATTRIBUTES_BYTES:
        raise BadInput(f"{key!r}: its attributes take {taken} bytes, more than the {MAX_ATTRIBUTES_BYTES} that S3 keeps")
    return kept


def check_range(start: int, end: int | None) -> None:
    """Raises BadInput for a negative offset."""
    if start < 0 or (end is not None and end < 0):
        raise BadInput(f"the range {start}-{end} has a negative offset")


def check_page(after: str, limit: int) -> None:
    """Raises BadInput unless the cursor is empty or could be a key, and the limit is 1-1,000."""
    if after:
        check_key(after)
    if not 1 <= limit <= MAX_KEYS:
        raise BadInput(f"a page has 1-{MAX_KEYS} objects, not {limit}")


def check_delete(keys: Sequence[str]) -> None:
    """Raises BadInput for more than 1,000 keys, or one that cannot be."""
    if len(keys) > MAX_KEYS:
        raise BadInput(f"{len(keys)} keys in one delete: at most {MAX_KEYS}")
    for key in keys:
        check_key(key)


def check_size(key: str, body: Body) -> None:
    """Raises BadInput for a body over 1 GiB or a file that cannot be read."""
    try:
        size = body.stat().st_size if isinstance(body, Path) else len(body)
    except OSError as error:
        raise BadInput(f"{key!r}: its body cannot be read: {error.strerror}") from None
    if size > MAX_OBJECT_BYTES:
        raise BadInput(f"{key!r}: {size} bytes are more than the {MAX_OBJECT_BYTES} of one object")


def read_verified(key: str, body: Body, sha256: str) -> bytes:
    """The body's bytes in memory, hashed once they are there; raises DataDamaged if they are not of this SHA-256. Blocks."""
    check_size(key, body)
    data = body.read_bytes() if isinstance(body, Path) else body
    verify(key, hashlib.sha256(data).hexdigest(), sha256)
    return data


def verify(key: str, found: str, promised: str) -> None:
    """Raises DataDamaged if the hash found is not the one promised."""
    if found != promised:
        raise DataDamaged(f"{key!r}: its body has the SHA-256 {found}, not {promised}; nothing was stored")


def encode_value(value: str) -> str:
    """An attribute's value as printable ASCII, percent-encoded (RFC 3986, 2.1) where it is not already; '%' stands for ''.

    S3 metadata travels in HTTP headers: other bytes are lost or refused, spaces at the ends or in a row too, and some drop empty values.
    """
    text = "".join(chr(byte) if byte in _PRINTABLE else f"%{byte:02X}" for byte in value.encode())
    return _ODD_SPACE.sub("%20", text) or "%"


def decode_value(text: str) -> str:
    """The value of an encoded one; what others wrote without encoding stays as it is, but for true percent-encodings in it."""
    return "" if text == "%" else unquote(text)
