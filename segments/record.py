"""Records: small documents with revisions, and values of ours as their text (JSON)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from segments.errors import DataDamaged

KINDS = (
    "policy",
    "hold",
    "formerly",
    "sweep",
    "sweep-clock",
    "breach",
    "pressed",
    "lifting",
    "locks",
    "backup",
    "copy",
    "copy-lag",
    "copy-day",
    "takeover",
    "taken",
    "site",
    "scrub",
    "damage",
    "user",
    "api-key",
    "session",
    "sensitive",
    "consent",
    "quota",
    "metering",
    "export",
    "webhook",
    "webhook-cursor",
    "webhook-standing",
    "webhook-dead",
    "bearer",
    "usage",
)
"""All kinds of records: who goes through a whole index goes through these."""


class Record(NamedTuple):
    """A document: `text` is JSON, `revision` counts from 1 and rises with every change."""

    kind: str
    id: str
    revision: int
    text: str

    @property
    def values(self) -> dict[str, Any]:
        """What it says; raises DataDamaged if that is no JSON object."""
        try:
            found = json.loads(self.text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DataDamaged(f"record {self.kind} {self.id} is no JSON object")
        return found

    def changed(self, values: dict[str, Any]) -> Record:
        """The next revision, which says this."""
        return self._replace(revision=self.revision + 1, text=as_text(values))


def new_record(kind: str, record_id: str, values: dict[str, Any]) -> Record:
    """The first revision of a document."""
    return Record(kind, record_id, 1, as_text(values))


def as_text(values: dict[str, Any]) -> str:
    """Always the same text for the same values."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
