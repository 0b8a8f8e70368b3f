"""The program that works out one question of a planner, and ends: memory and time are bounded, and nothing else waits for it."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

from capacity.plan_answers import comparison_answer, explanation_answer, plan_answer
from deploy.logs import set_up_logs
from segments.errors import BadInput

MEMORY_BYTES = 2 << 30
"""How much memory a question may take; more, and it is not answered."""
PURE: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "plan": plan_answer,
    "comparison": comparison_answer,
    "explanation": explanation_answer,
}
"""Questions that need nothing of the installation."""


def answered(question: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"answer": ...}`, or `{"wrong": "a sentence"}` where the question is wrong."""
    try:
        return {"answer": PURE[question](asked)}
    except BadInput as error:
        return {"wrong": str(error)}


def main() -> int:
    """Reads `{"question", "asked"}` as JSON from standard input and writes the answer to standard output."""
    set_up_logs("capacity")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    given = json.load(sys.stdin)
    json.dump(answered(given["question"], given["asked"]), sys.stdout, allow_nan=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
