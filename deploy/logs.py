"""How the programs log: one line an event on stderr, times in UTC, as text or as JSON; nothing from libraries below a warning.

Every sentence that the product logs begins with the name of its event: `lease.lost: ...` (docs/reference/events.md has them all). Values
given by name (`log.warning("x.y: camera %(camera)s ...", {"camera": camera})`) are fields of their own in JSON.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from enum import StrEnum

EVENT = re.compile(r"(?P<event>[a-z][a-z-]*(?:\.[a-z][a-z-]*)+): ")
"""How the sentence of an event begins."""
FROM_A_LIBRARY = "library"


class LogFormat(StrEnum):
    """How lines are written: for people, or for programs."""

    TEXT = "text"
    JSON = "json"


class _UtcText(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03dZ {program} %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `program`, `level`, `event`, `message`, `fields` where there are any, `exception` where there is one.

    What libraries log has the event `library`, and the library's own name in `logger`.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self.converter = time.gmtime
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        message = record.getMessage()
        found = EVENT.match(message)
        line: dict[str, object] = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "program": self._program,
            "level": record.levelname.lower(),
            "event": found["event"] if found else FROM_A_LIBRARY,
            "message": message[found.end() :] if found else message,
        }
        if not found:
            line["logger"] = record.name
        if isinstance(record.args, Mapping):
            line["fields"] = dict(record.args)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logs(program: str, form: LogFormat = LogFormat.TEXT) -> None:
    """Sets the process's logging up; a second call changes the form."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(program) if form is LogFormat.JSON else _UtcText(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for room in ("deploy", "recorder", "playback", "replication", "segments"):
        logging.getLogger(room).setLevel(logging.INFO)
