"""A token bucket: so much a second, and so much at once. Pure; times are parameters."""

from __future__ import annotations


class Bucket:
    """Holds up to `most` tokens and gains `rate` a second. What is taken may be more than it holds: then it owes, until that is paid."""

    def __init__(self, rate: float, most: float, now_ns: int) -> None:
        self.rate = rate
        self.most = most
        self._tokens = most
        self._at_ns = now_ns

    def left(self, now_ns: int) -> float:
        """What it holds; negative: what it owes."""
        passed_s = max(0, now_ns - self._at_ns) / 1e9
        self._tokens, self._at_ns = min(self.most, self._tokens + passed_s * self.rate), max(now_ns, self._at_ns)
        return self._tokens

    def take(self, tokens: float, now_ns: int) -> None:
        """Takes, even what is not there."""
        self._tokens = self.left(now_ns) - tokens

    def wait_s(self, tokens: float, now_ns: int) -> float:
        """How long until it holds so much; 0: it does."""
        return max(0.0, tokens - self.left(now_ns)) / self.rate
