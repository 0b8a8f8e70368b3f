"""Log lines, for people and for programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from deploy.logs import JsonLines, LogFormat, set_up_logs


@pytest.fixture
def root_logger() -> Iterator[None]:
    """What set_up_logs changes, put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def record(message: str, *arguments: object, name: str = "recorder.shards", exc_info: object = None) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.WARNING, "shards.py", 1, message, arguments, exc_info)


def line(made: logging.LogRecord) -> dict[str, object]:
    return json.loads(JsonLines("uploader").format(made))


def test_an_event_is_a_field() -> None:
    """The name comes off the sentence; the rest is as people read it."""
    made = record("index.away: the index does not answer (%s)", "timed out")
    made.created, made.msecs = 1_767_225_600.25, 250

    assert line(made) == {
        "time": "2026-01-01T00:00:00.250Z",
        "program": "uploader",
        "level": "warning",
        "event": "index.away",
        "message": "the index does not answer (timed out)",
    }


def test_named_values_are_fields() -> None:
    """What a sentence names by name can be searched for by name."""
    made = line(record("state.dropped: a state of camera %(camera)s is dropped", {"camera": "gate"}))

    assert made["fields"] == {"camera": "gate"}
    assert made["message"] == "a state of camera gate is dropped"


def test_what_libraries_say_is_told_apart() -> None:
    """They have no events; their own name is there instead."""
    made = line(record("Connection pool is full: discarding", name="cassandra.pool"))

    assert (made["event"], made["logger"]) == ("library", "cassandra.pool")
    assert made["message"] == "Connection pool is full: discarding"


def test_a_traceback_stays_on_its_line() -> None:
    """One event is one line, whatever it carries."""
    try:
        raise ZeroDivisionError("of ours")
    except ZeroDivisionError as error:
        text = JsonLines("api").format(record("a.b: x\ny", exc_info=(type(error), error, error.__traceback__)))

    assert "\n" not in text
    assert "ZeroDivisionError: of ours" in json.loads(text)["exception"]


@pytest.mark.parametrize(
    ("form", "said"), [(LogFormat.TEXT, "Z serve WARNING a.b: said\n"), (LogFormat.JSON, '"event": "a.b", "message": "said"}\n')]
)
def test_the_form_is_a_setting(root_logger: None, capsys: pytest.CaptureFixture[str], form: LogFormat, said: str) -> None:
    """Text for people is what there is without it; the second call counts."""
    set_up_logs("serve")
    set_up_logs("serve", form)
    logging.getLogger("deploy.serve").warning("a.b: said")

    assert capsys.readouterr().err.endswith(said)
