"""Answers of several sites to one question, and rows that lie at another site. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from segments.model import Row

T = TypeVar("T")

_MARK = "@"


@dataclass(frozen=True, slots=True)
class FromSites(Generic[T]):
    """What other sites say, by their names, and those that did not say anything in time."""

    by_site: Mapping[str, T] = field(default_factory=dict)
    away: frozenset[str] = frozenset()


def at_site(site: str) -> str:
    """What stands in the place of the pool in rows whose object lies at another site; no pool can be called so."""
    return f"{_MARK}{site}"


def site_of(row: Row) -> str:
    """The other site that a row's object lies at; empty: it lies here."""
    return row.pool[1:] if row.pool.startswith(_MARK) else ""
