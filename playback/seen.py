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
    """Who had what to do with which camera."""

    who: str
    camera: str
    action: str


class _Shown(NamedTuple):
    at_s: float
    span: Span
    reason: str


@dataclass
class Seen:
    """Spans that were registered a short while ago. Times are monotonic seconds."""

    _shown: OrderedDict[SeenKey, list[_Shown]] = field(default_factory=OrderedDict)

    def covers(self, key: SeenKey, reason: str, span: Span, now_s: float) -> bool:
        """Whether all of a span was registered for this reason within `WITHIN_S`."""
        at_us = span.start_us
        for start_us, end_us in sorted(one.span for one in self._fresh(key, now_s) if one.reason == reason):
            if start_us > at_us:
                return False
            at_us = max(at_us, end_us)
            if at_us >= span.end_us:
                return True
        return False

    def touched(self, key: SeenKey, span: Span, now_s: float) -> Span | None:
        """The part of a span that was registered last, for whatever reason: a segment at the edge of a playlist was named in it."""
        for one in reversed(self._fresh(key, now_s)):
            start_us, end_us = max(span.start_us, one.span.start_us), min(span.end_us, one.span.end_us)
            if start_us < end_us:
                return Span(start_us, end_us)
        return None

    def add(self, key: SeenKey, reason: str, span: Span, now_s: float) -> None:
        """Notes a span that was registered now."""
        self._shown[key] = [*self._fresh(key, now_s)[-(MAX_SPANS - 1) :], _Shown(now_s, span, reason)]
        self._shown.move_to_end(key)
        while len(self._shown) > MAX_KEYS:
            self._shown.popitem(last=False)

    def _fresh(self, key: SeenKey, now_s: float) -> list[_Shown]:
        return [one for one in self._shown.get(key, ()) if now_s - one.at_s < WITHIN_S]
