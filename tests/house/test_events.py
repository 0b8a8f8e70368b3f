"""Everything that is logged has a name: one event a call, explained in the reference."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from deploy.logs import EVENT
from tests.house.tree import PACKAGES, ROOT, modules

EVENTS = "docs/reference/events.md"

_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error", "critical": "critical"}


def log_calls(name: str, tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Place, level and sentence of each call of a module's logger; a sentence that is no literal is empty."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log" | "logger"), attr=level)) if level in (*_LEVELS, "log"):
                first = node.args[0] if node.args else None
                sentence = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
                yield f"{name}:{node.lineno}", _LEVELS.get(level, ""), sentence


def unnamed(calls: list[tuple[str, str, str]]) -> list[str]:
    """Calls whose sentence does not begin with the name of an event."""
    return [f"{place}: {sentence[:60]!r}" for place, _, sentence in calls if EVENT.match(sentence) is None]


def named(calls: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Event and level of the calls that have one."""
    return [(found["event"], level) for _, level, sentence in calls if (found := EVENT.match(sentence))]


def used_twice(calls: list[tuple[str, str, str]]) -> list[str]:
    """Events that two calls say: then a name means two things."""
    return [event for event, count in Counter(event for event, _ in named(calls)).items() if count > 1]


def explained(text: str) -> list[tuple[str, str]]:
    """Event and level of each line of the reference's table."""
    return re.findall(r"^\| `([^`]+)` \| (\w+) \| .+ \|$", text, re.MULTILINE)


@cache
def _calls() -> list[tuple[str, str, str]]:
    return [call for name, tree in modules(*PACKAGES) for call in log_calls(name, tree)]


def test_every_log_call_names_its_event() -> None:
    """Each begins with `thing.event: `, so that it can be searched, counted and turned into a field."""
    calls = _calls()
    assert len(calls) >= 18
    assert unnamed(calls) == []


def test_an_event_means_one_thing() -> None:
    """No two calls share a name."""
    assert used_twice(_calls()) == []


def test_the_reference_explains_every_event() -> None:
    """It has all events with their levels, and none that is never said."""
    assert sorted(explained((ROOT / EVENTS).read_text())) == sorted(named(_calls()))


def test_broken_rules_of_events_are_seen() -> None:
    """The negative control: one bad example of each rule."""
    source = 'log.info("started")\nlog.error(f"a.b: {x}")\nlog.warning("a.b: %s", x)\nlog.info("a.b: again")\nlogger.log(20, "x")'
    calls = list(log_calls("x.py", ast.parse(source)))

    assert len(calls) == 5
    assert len(unnamed(calls)) == 3
    assert used_twice(calls) == ["a.b"]
    assert named(calls) == [("a.b", "warning"), ("a.b", "info")]
    assert explained("| `a.b` | warning | Something. |\n") == [("a.b", "warning")]
