"""The program that works out one question of a planner, and ends: memory and time are bounded, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.logs import set_up_logs
from deploy.planner import OF_TEXTS
from deploy.settings import Settings, load_settings
from deploy.wiring import open_index
from segments.clock import SystemClock
from segments.errors import KeepsightError

log = logging.getLogger(__name__)

TEXTS_BYTES = 2 << 30
"""How much memory a question about texts may take; more, and it is not answered."""
INSTALLATION_BYTES = 12 << 30
"""The same of the installation: 400,000 cameras and two years of days are 1.2 GB, some times over."""


CONTAINER = Path("/sys/fs/cgroup/memory.max")
"""Where a container says how much memory it may take."""
PART = 3


def allowed_bytes(most_bytes: int, container: Path = CONTAINER) -> int:
    """At most so much, and a third of what the container may take: over all of that the API ends too, and two questions fit beside it."""
    try:
        said = container.read_text().strip()
    except OSError:
        return most_bytes
    return min(most_bytes, int(said) // PART) if said.isdigit() else most_bytes


def answered(question: str, asked: Mapping[str, Any], settings: Settings | None = None) -> Mapping[str, Any]:
    """`{"answer": ...}`, or `{"error": ..., "said": ...}` with the class of an error of ours and its sentence."""
    try:
        return {"answer": _of_texts(question, asked) if settings is None else asyncio.run(_of_installation(question, asked, settings))}
    except KeepsightError as error:
        return {"error": type(error).__name__, "said": str(error)}


def _of_texts(question: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from capacity.plan_answers import PLAN_ANSWERS

    return PLAN_ANSWERS[question](asked)


async def _of_installation(question: str, asked: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    from deploy.capacity_answers import ANSWERS

    async with open_index(settings) as index:
        return await ANSWERS[question](settings, index, SystemClock().now_us(), asked)


def main(arguments: list[str]) -> int:
    """`CONFIG`. Reads `{"question", "asked"}` as JSON from standard input and writes the answer to standard output."""
    set_up_logs("capacity")
    config, given = arguments[0], json.load(sys.stdin)
    of_texts = given["question"] in OF_TEXTS
    most_bytes = allowed_bytes(TEXTS_BYTES if of_texts else INSTALLATION_BYTES)
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    settings = None if of_texts else load_settings(None if config == "-" else Path(config))
    try:
        json.dump(answered(given["question"], given["asked"], settings), sys.stdout, allow_nan=False)
    except Exception:
        log.exception("capacity.unanswered: the question %(question)s could not be worked out", {"question": given["question"]})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
