"""Receipts: what was deleted, by which rule, that no hold stood, and that every version is gone. Pure.

A receipt's text is canonical JSON (sorted names, no spaces, UTF-8), one line. Receipts of one place of work form a chain: each names the
SHA-256 of the text before it, so that a line that was changed, left out or put in is found offline (`checked`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from segments.errors import BadInput
from segments.model import Span

FORMAT = "keepsight-receipt-1"


class Gone(NamedTuple):
    """A segment that was deleted: where it lay, what it was, and the time it showed. Its bytes are gone; its hash stays."""

    pool: str
    key: str
    version: str
    size: int
    sha256: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """One batch that was deleted.

    `number` counts from 1 in its `chain`; `previous` is the SHA-256 (hex) of the text of the receipt before it, '' for the first.
    `policy` and `rule` say by what, `reasons` how many segments went for which reason. `holds_us` is when holds were looked at after the
    claim, `holds` how many stood anywhere; none of them covered what is named here, but for what
    the reason `too-late` counts: that was gone already when it was found held. `closings` are keys of empty objects that closed runs.
    `confirmed_us`: when the pools were asked and had no version of anything named here any more; `older` versions and marks went, too.
    """

    chain: str
    number: int
    previous: str
    camera: str
    day: date
    segments: tuple[Gone, ...]
    closings: tuple[str, ...]
    older: int
    policy: int
    rule: str
    reasons: Mapping[str, int]
    decided_us: int
    listed_us: int
    claimed_us: int
    holds_us: int
    holds: int
    confirmed_us: int
    place: str

    @property
    def when_due(self) -> bool:
        """Whether all that is named here went when it was due; where one did not, all of it counts as early."""
        return _WHEN_DUE.issuperset(self.reasons)

    @property
    def size(self) -> int:
        """Bytes of its segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def spans(self) -> list[Span]:
        """The time its segments showed, joined where less than a second lies between them."""
        return joined_spans(Span(segment.start_us, segment.end_us) for segment in self.segments)

    @property
    def text(self) -> str:
        """Its canonical JSON, without a line end."""
        values = {name: getattr(self, name) for name in _PLAIN} | {
            "format": FORMAT,
            "day": self.day.isoformat(),
            "segments": [list(segment) for segment in self.segments],
            "closings": list(self.closings),
            "reasons": dict(self.reasons),
        }
        return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its text."""
        return digest_of(self.text)


class Fault(NamedTuple):
    """What is wrong with a line of receipts; `line` counts from 1."""

    line: int
    reason: str


_WHEN_DUE = frozenset({"due", "ceiling"})
_PLAIN = (
    *("chain", "number", "previous", "camera", "older", "policy", "rule", "decided_us", "listed_us"),
    *("claimed_us", "holds_us", "holds", "confirmed_us", "place"),
)
_NEAR_US = 1_000_000


def joined_spans(spans: Iterable[Span]) -> list[Span]:
    """In order of time, joined where they overlap or less than a second lies between them."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start_us - found[-1].end_us < _NEAR_US:
            found[-1] = Span(found[-1].start_us, max(found[-1].end_us, span.end_us))
        else:
            found.append(span)
    return found


def digest_of(text: str) -> str:
    """SHA-256 (hex) of a receipt's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_receipt(text: str) -> Receipt:
    """A receipt from its text; raises BadInput if it is none, or not the canonical text of what it says."""
    try:
        values: dict[str, Any] = json.loads(text)
        if values.pop("format") != FORMAT:
            raise BadInput(f"not a receipt of the format {FORMAT}")
        values |= {
            "day": date.fromisoformat(values["day"]),
            "segments": tuple(Gone(*segment) for segment in values["segments"]),
            "closings": tuple(values["closings"]),
        }
        receipt = Receipt(**values)
        canonical = receipt.text == text
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"not a receipt: {error}") from None
    if not canonical:
        raise BadInput("not the canonical text of a receipt")
    return receipt


def checked(lines: Iterable[str]) -> Iterator[Receipt | Fault]:
    """Every receipt of an export, one a line, chains mixed or not, and every fault: what was changed, left out, doubled or put in.

    What is missing at the very end of a chain cannot be told from these lines alone.
    """
    heads: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n")
        try:
            receipt = parse_receipt(text)
        except BadInput as error:
            yield Fault(number, str(error))
            continue
        last, digest = heads.get(receipt.chain, (0, ""))
        heads[receipt.chain] = receipt.number, digest_of(text)
        if receipt.number != last + 1:
            yield Fault(number, f"chain {receipt.chain} goes from {last} to {receipt.number}")
        elif receipt.previous != digest:
            yield Fault(number, f"chain {receipt.chain}: receipt {last} before this one is not the one it was written after")
        else:
            yield receipt
