"""How the programs log: lines on stderr, times in UTC, nothing from libraries below a warning."""

from __future__ import annotations

import logging
import time


def set_up_logs(program: str) -> None:
    """Sets the process's logging up; call it once."""
    formatter = logging.Formatter(f"%(asctime)s.%(msecs)03dZ {program} %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for room in ("deploy", "recorder", "playback", "segments"):
        logging.getLogger(room).setLevel(logging.INFO)
