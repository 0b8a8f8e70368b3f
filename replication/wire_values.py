"""Values of ours as JSON and back: total, and with limits. What comes from another site is a stranger's word until it went through here.

A value is known by the annotations of its class: dataclasses become objects, named tuples lists, bytes base64, dates ISO 8601. What is not
exactly that raises BadInput, saying where.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from segments.errors import BadInput

T = TypeVar("T")

MOST_TEXT = 4096
MOST_ITEMS = 100_000
MOST_BYTES = 1 << 16
_LARGEST = 1 << 63
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029\ud800-\udfff]")


def to_json(value: Any) -> Any:
    """A value as what JSON has."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def from_json(kind: type[T], value: Any, where: str = "") -> T:
    """The value of this class; raises BadInput naming where something is not right."""
    found: T = _read(kind, value, where or kind.__name__)
    return found


def parsed(data: bytes) -> Any:
    """What a JSON text says; raises BadInput. Numbers that JSON does not have are refused."""
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInput("that is not JSON") from None


def as_bytes(value: Any) -> bytes:
    """JSON without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def members(value: Any, *names: str) -> list[Any]:
    """The members of a JSON object that has exactly these; raises BadInput."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise BadInput(f"an object with {', '.join(names) or 'nothing'} is wanted")
    return [value[name] for name in names]


def items(value: Any, where: str, *, most: int = MOST_ITEMS) -> list[Any]:
    """A JSON list of at most so many; raises BadInput."""
    if not isinstance(value, list) or len(value) > most:
        raise BadInput(f"{where}: a list of at most {most} is wanted")
    return value


def text(value: Any, where: str, *, most: int = MOST_TEXT) -> str:
    """One line of text; raises BadInput."""
    if not isinstance(value, str) or len(value) > most or _CONTROL.search(value):
        raise BadInput(f"{where}: text of at most {most} characters without control characters is wanted")
    return value


def whole(value: Any, where: str, *, least: int = 0, most: int = _LARGEST - 1) -> int:
    """A whole number; raises BadInput."""
    if type(value) is not int or not least <= value <= most:
        raise BadInput(f"{where}: a whole number from {least} to {most} is wanted")
    return value


def plain_bytes(value: Any, where: str, *, most: int = MOST_BYTES) -> bytes:
    """Bytes from base64; raises BadInput."""
    try:
        if not isinstance(value, str) or len(value) > most * 4 // 3 + 4:
            raise ValueError(where)
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"{where}: base64 of at most {most} bytes is wanted") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _optional(get_args(kind), value, where)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], item, where) for item in items(value, where))
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, tuple):
        return _named_tuple(kind, value, where)
    return _single(kind, value, where)


def _single(kind: Any, value: Any, where: str) -> Any:
    if kind is str:
        return text(value, where)
    if kind is int:
        return whole(value, where, least=-_LARGEST)
    if kind is bytes:
        return plain_bytes(value, where)
    try:
        if kind is float and type(value) in (int, float):
            return float(value)
        if kind is date and isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
        if issubclass(kind, Enum) and isinstance(value, str):
            return kind(value)
    except (ValueError, OverflowError):
        pass
    if kind is bool and isinstance(value, bool):
        return value
    raise BadInput(f"{where}: that is no {kind.__name__}")


def _optional(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    return _read(next(kind for kind in kinds if kind is not NoneType), value, where)


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    hints, wanted = _fields_of(kind)
    if not isinstance(value, dict) or not wanted <= value.keys() <= hints.keys():
        raise BadInput(f"{where}: an object with {', '.join(hints)} is wanted")
    return kind(**{name: _read(hints[name], member, f"{where}.{name}") for name, member in value.items()})


def _named_tuple(kind: Any, value: Any, where: str) -> Any:
    hints = _hints_of(kind)
    if not isinstance(value, list) or len(value) != len(hints):
        raise BadInput(f"{where}: a list of {', '.join(hints)} is wanted")
    return kind(*(_read(hint, item, f"{where}.{name}") for (name, hint), item in zip(hints.items(), value, strict=True)))


@lru_cache(maxsize=64)
def _hints_of(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


@lru_cache(maxsize=64)
def _fields_of(kind: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Annotations of a dataclass, and the names that must be given."""
    hints = get_type_hints(kind)
    named = {field.name: hints[field.name] for field in fields(kind) if field.init}
    needed = (field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING)
    return named, frozenset(needed)
