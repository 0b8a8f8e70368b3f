"""Lines of the register: acts as canonical JSON, in chains, and the ties between chains. Pure.

A line's text is canonical JSON (sorted names, no spaces, UTF-8). Lines of one place of work form a chain: each names the SHA-256 of the
text before it. Now and then a line is a *tie*: it names the last line of other chains, so that the end of a chain cannot be cut unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from segments.access import Role, Subject
from segments.audit import Act, Action, Outcome
from segments.errors import BadInput
from segments.model import Span

FORMAT = "keepsight-audit-1"


class Tie(NamedTuple):
    """The last line that was known of another chain: its number, and the SHA-256 (hex) of its text."""

    chain: str
    number: int
    digest: str


class AuditPlace(NamedTuple):
    """Where a line stands among those of a day or a camera: in order of time, then of chain and number."""

    at_us: int
    chain: str
    number: int


class StoredLine(NamedTuple):
    """A line as an index has it: what stands under a number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the register: an act, or (`act` is None) the ties to other chains.

    `number` counts from 1 in its `chain`; `previous` is the SHA-256 (hex) of the text of the line before it, '' for the first.
    """

    chain: str
    number: int
    previous: str
    at_us: int
    act: Act | None
    ties: tuple[Tie, ...] = ()

    @property
    def place(self) -> AuditPlace:
        """Where it stands among lines of other chains."""
        return AuditPlace(self.at_us, self.chain, self.number)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras it is about, each once."""
        return tuple(dict.fromkeys(self.act.cameras)) if self.act else ()

    @property
    def text(self) -> str:
        """Its canonical JSON, without a line end."""
        values = {"format": FORMAT, "chain": self.chain, "number": self.number, "previous": self.previous, "at_us": self.at_us}
        said = _said(self.act) if self.act else {"ties": [list(tie) for tie in self.ties]}
        return json.dumps(values | said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its text."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """SHA-256 (hex) of a line's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def lines_behind(chain: str, last: Line | None, acts: Sequence[Act]) -> list[Line]:
    """The lines of these acts, in order, behind the last one of a chain (None: it has none yet)."""
    number, previous = (last.number, last.digest) if last else (0, "")
    lines: list[Line] = []
    for act in acts:
        lines.append(Line(chain, number + 1, previous, act.at_us, act))
        number, previous = number + 1, lines[-1].digest
    return lines


def tie_behind(chain: str, last: Line | None, at_us: int, ties: Sequence[Tie]) -> Line:
    """The line that ties other chains to this one."""
    return Line(chain, last.number + 1 if last else 1, last.digest if last else "", at_us, None, tuple(ties))


def parse_line(text: str) -> Line:
    """A line from its text; raises BadInput if it is none, or not the canonical text of what it says."""
    try:
        values: dict[str, Any] = json.loads(text)
        if values.pop("format") != FORMAT:
            raise BadInput(f"not a line of the format {FORMAT}")
        line = Line(values.pop("chain"), values.pop("number"), values.pop("previous"), values.pop("at_us"), None)
        ties = values.pop("ties", None)
        line = replace(line, ties=tuple(Tie(*tie) for tie in ties)) if ties is not None else replace(line, act=_act(line.at_us, values))
        canonical = line.text == text
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"not a line of the register: {error}") from None
    if not canonical:
        raise BadInput("not the canonical text of a line")
    return line


_PLAIN = ("what", "reason", "source", "detail")


def _said(act: Act) -> dict[str, Any]:
    who = act.who
    return {name: getattr(act, name) for name in _PLAIN} | {
        "who": who.id,
        "name": who.name,
        "unit": who.unit,
        "roles": sorted(who.roles),
        "action": act.action,
        "outcome": act.outcome,
        "cameras": list(act.cameras),
        "from_us": act.span.start_us if act.span else None,
        "to_us": act.span.end_us if act.span else None,
    }


def _act(at_us: int, values: dict[str, Any]) -> Act:
    who = Subject(values["who"], values["name"], values["unit"], frozenset(map(Role, values["roles"])))
    span = None if values["from_us"] is None else Span(values["from_us"], values["to_us"])
    action, outcome = Action(values["action"]), Outcome(values["outcome"])
    plain = {name: values[name] for name in _PLAIN}
    return Act(at_us=at_us, who=who, action=action, outcome=outcome, cameras=tuple(values["cameras"]), span=span, **plain)
