"""Checking the register: what was changed, left out, put in, doubled or cut off, and where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from segments.audit_line import Line, digest_of, parse_line
from segments.errors import BadInput


class Head(NamedTuple):
    """The end of a chain: the number of its last line, and the SHA-256 (hex) of that."""

    number: int
    digest: str


class AuditFault(NamedTuple):
    """What is wrong with a chain, at or before which of its lines."""

    chain: str
    number: int
    reason: str


class Known(NamedTuple):
    """What a tie in another chain says of a line."""

    digest: str
    by: str


Ties = dict[tuple[str, int], Known]
"""What is said of lines elsewhere, by chain and number."""


def ties_of(lines: Iterable[Line]) -> Ties:
    """What the ties among these lines say."""
    return {(tie.chain, tie.number): Known(tie.digest, f"{line.chain} {line.number}") for line in lines for tie in line.ties}


def line_or_none(text: str) -> Line | None:
    """A line, or None for a text that is none."""
    try:
        return parse_line(text)
    except BadInput:
        return None


@dataclass
class Checked:
    """A check of all chains: texts go in, mixed or not but each chain in order; faults come out, at the end those of ties, too."""

    ties: Mapping[tuple[str, int], Known]
    """What all ties of all these lines say: gathered before, as a tie may come before or after what it names."""
    heads: dict[str, Head] = field(default_factory=dict)
    lines: int = 0
    _met: set[tuple[str, int]] = field(default_factory=set)

    def take(self, text: str, where: tuple[str, int] | None = None) -> Iterator[AuditFault]:
        """The faults that show at the next text. `where`: the chain and number it is stored under, if that is known."""
        self.lines += 1
        try:
            line = parse_line(text)
        except BadInput as error:
            yield self._unreadable(where, str(error))
            return
        if where is not None and where != (line.chain, line.number):
            yield AuditFault(*where, f"put in: the line there says it is {line.number} of chain {line.chain}")
        yield from self._in_order(line, digest_of(text))
        known = self.ties.get((line.chain, line.number))
        if known is not None:
            self._met.add((line.chain, line.number))
            if known.digest != digest_of(text):
                yield AuditFault(line.chain, line.number, f"changed: line {known.by} was tied to another one of this number")

    def end(self) -> Iterator[AuditFault]:
        """The faults that show when all lines were seen: ends of chains that were cut off."""
        cut: dict[str, tuple[int, str]] = {}
        for (chain, number), known in sorted(self.ties.items()):
            if (chain, number) not in self._met and number > self.heads.get(chain, Head(0, "")).number:
                cut[chain] = (number, known.by)
        for chain, (number, by) in cut.items():
            head = self.heads.get(chain, Head(0, ""))
            yield AuditFault(chain, head.number + 1, f"cut off: the chain ends with {head.number}, and line {by} knew its line {number}")

    def _unreadable(self, where: tuple[str, int] | None, said: str) -> AuditFault:
        """The line behind it is judged by the number this one should have."""
        if where is None:
            return AuditFault("", self.lines, f"changed: line {self.lines} of the file is {said}")
        self.heads[where[0]] = Head(where[1], "")
        return AuditFault(*where, f"changed: {said}")

    def _in_order(self, line: Line, digest: str) -> Iterator[AuditFault]:
        before = self.heads.get(line.chain, Head(0, ""))
        self.heads[line.chain] = Head(line.number, digest)
        if line.number > before.number + 1:
            left_out = f"{before.number + 1}" if line.number == before.number + 2 else f"{before.number + 1} to {line.number - 1}"
            yield AuditFault(line.chain, before.number + 1, f"left out: {left_out}, before line {line.number}")
        elif line.number <= before.number:
            yield AuditFault(line.chain, line.number, f"put in: line {line.number} comes behind line {before.number}")
            self.heads[line.chain] = before
        elif (before.digest and line.previous != before.digest) or (not before.number and line.previous):
            yield AuditFault(line.chain, line.number, "changed: this line or the one before it; they do not fit")
