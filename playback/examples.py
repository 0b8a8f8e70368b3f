"""Examples of what an API takes and gives, made from its schemas and the words below: they fit by construction. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOMENT, LATER = "2026-01-31T08:00:00Z", "2026-01-31T09:00:00Z"
WORDS: Mapping[str, object] = {
    "camera": "gate",
    "from": MOMENT,
    "to": LATER,
    "at": MOMENT,
    "area": "harbour",
    "areas": ["harbour"],
    "cameras": ["gate"],
    "codecs": "avc1.64001f,mp4a.40.2",
    "run": "home-a-1-1",
    "counter": 0,
    "start_us": 1769846400000000,
    "case": "2026-17",
    "reason": "collision at the gate",
    "site": "home",
    "sites": ["home"],
    "owner": "harbour office",
    "url": "https://platform.example.org/keepsight",
    "month": "2026-01",
    "day": "2026-01-31",
    "Range": "bytes=0-1048575",
    "If-Range": '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "If-None-Match": '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "Keepsight-By": "Li%20Ming",
    "export": "a3f09c1b7d",
    "consent": "0f3c9a1c20b7de550f3c9a1c-20b7de550f3c9a1c",
    "declaration": "area-20b7de550f3c9a1c",
    "key": "3f9a1c20b7de",
    "user": "li.ming",
    "hold": "3f9a1c20b7de",
    "webhook": "3f9a1c20b7de",
    "message": "msg_0f3c9a1c20b7de55a1c20b7de550f3c9",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "chain": "home/duties",
    "cause": "camera-away",
    "latitude": 24.4453,
    "longitude": 118.0811,
    "zone": "Asia/Shanghai",
    "link": "k1.eyJjIjoiZ2F0ZSJ9.4f1b2b0b",
    "by": "Li Ming",
    "seconds": 60,
    "title": "Not found",
    "status": 404,
    "type": "urn:keepsight:problem:not-found",
    "detail": "there is no camera gate",
}
_FORMATS: Mapping[str, object] = {"date-time": MOMENT, "date": "2026-01-31", "binary": ""}
_DEEP = 12


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0) -> object:
    """One value that fits a schema; `name` is what it is called where it stands, `schemas` are those that may be referred to."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth + 1)
    for given in ("const", "default", "examples", "enum"):
        if given in schema and schema[given] is not None and name not in ("from", "to"):
            found = schema[given]
            return found[0] if given in ("examples", "enum") else found
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return example_of(choices[0], schemas, name, depth)
    word = WORDS.get(name)
    if word is not None and _is_of(word, schema):
        return word
    return _made(schema, schemas, name, depth)


def _made(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int) -> object:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {one: example_of(what, schemas, one, depth + 1) for one, what in properties.items()} if depth < _DEEP else {}
        case "array":
            wanted = schema.get("minItems", 0) or (1 if depth < _DEEP and "items" in schema else 0)
            return [example_of(schema["items"], schemas, name.removesuffix("s"), depth + 1) for _ in range(wanted)]
        case "integer" | "number":
            return max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
        case "boolean":
            return False
        case "string":
            text = str(_FORMATS.get(schema.get("format", ""), name.replace("_", " ")))
            return text if len(text) >= schema.get("minLength", 0) else text.ljust(schema["minLength"], "x")
        case _:
            return None


_TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "array": (list,)}


def _is_of(word: object, schema: Mapping[str, Any]) -> bool:
    if not isinstance(word, _TYPES.get(schema.get("type", ""), ())):
        return False
    if isinstance(word, list):
        return bool(schema.get("items", {}).get("type") == "string")
    return "format" not in schema or word in (MOMENT, LATER, "2026-01-31")
