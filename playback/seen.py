"""What this process has registered of late: what a player asks for again and again is one act."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from segments.model import Span

WITHIN_S = 600.0
"""The same subject, camera, action and reason within so long is one act, as far as its span goes."""
MAX_KEYS = 10_000
"""Of so many it is known, the latest; of others an act is written again."""
MAX_SPANS = 64


class SeenKey(NamedTuple):
    """What makes two acts the same."""

    who: str
    camera: str
    action: str
    reason: str


@dataclass
class Seen:
    """Spans that were registered a short while ago. Times are monotonic seconds."""

    _spans: OrderedDict[SeenKey, list[tuple[float, Span]]] = field(default_factory=OrderedDict)

    def covers(self, key: SeenKey, span: Span, now_s: float) -> bool:
        """Whether all of a span was registered within `WITHIN_S`."""
        at_us = span.start_us
        for start_us, end_us in sorted(self._fresh(key, now_s)):
            if start_us > at_us:
                return False
            at_us = max(at_us, end_us)
            if at_us >= span.end_us:
                return True
        return False

    def touches(self, key: SeenKey, span: Span, now_s: float) -> bool:
        """Whether any of a span was: a segment at the edge of a playlist was named in it."""
        return any(start_us < span.end_us and span.start_us < end_us for start_us, end_us in self._fresh(key, now_s))

    def add(self, key: SeenKey, span: Span, now_s: float) -> None:
        """Notes a span that was registered now."""
        found = self._spans.setdefault(key, [])
        found[:] = [one for one in found if now_s - one[0] < WITHIN_S][-(MAX_SPANS - 1) :]
        found.append((now_s, span))
        self._spans.move_to_end(key)
        while len(self._spans) > MAX_KEYS:
            self._spans.popitem(last=False)

    def _fresh(self, key: SeenKey, now_s: float) -> list[Span]:
        return [span for at_s, span in self._spans.get(key, ()) if now_s - at_s < WITHIN_S]
