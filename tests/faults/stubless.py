"""The rule broken on purpose: an uploader that takes what is stored for indexed, and keeps no stub while the index is away.

`python -m tests.faults.stubless serve ...` takes the place of `keepsight serve ...`.
"""

from __future__ import annotations

import sys
from typing import Any

from segments.commit import Committed, commit
from tests.faults.careless import serve_with

COMMAND = (sys.executable, "-m", "tests.faults.stubless")


async def no_stub(segment: Any, body: Any, **parts: Any) -> Any:
    """A commit as it must not be."""
    _, row = await commit(segment, body, **parts)
    return Committed.INDEXED, row


if __name__ == "__main__":
    sys.exit(serve_with(no_stub, COMMAND))
