"""Leases by one's own monotonic clock: how long a lease of ours still holds, and when that of another may be taken. Pure.

No wall clock decides who does what. Both sides measure from the safe end: the holder from before its renewal was sent, who watches from
after the answer in which the renewal was first seen. So a lease is taken only when its holder knows that it has run out, however long calls
take, as long as monotonic clocks run alike within `DRIFT`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from segments.model import Lease

DRIFT = 500
"""Who watches waits longer by one part in so many: twice what two clocks drift that are slewed apart by 500 ppm each, the most of NTP
(RFC 5905, section 11.3)."""
INTERRUPTED = 2
"""A watch that saw nothing for the ttl divided by this begins anew: the index, or we, may have stood still, and the holder too."""


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease of ours; `asked_ns` is our monotonic clock before the call that took or last renewed it was sent."""

    lease: Lease
    asked_ns: int

    def left_s(self, now_ns: int) -> float:
        """How long nobody else may take it; at 0 and below, somebody may have."""
        return self.lease.ttl_us / 1e6 - (now_ns - self.asked_ns) / 1e9


@dataclass(frozen=True, slots=True)
class LeaseWatch:
    """What a place that wants a duty has seen of its lease. Times are of one monotonic clock, in nanoseconds.

    `lease` was seen first in an answer that came at `since_ns`, and unchanged (epoch, renewals, free) in every one since, the last of them
    asked for at `asked_ns` and answered at `answered_ns`.
    """

    place: str
    lease: Lease | None = None
    since_ns: int = 0
    asked_ns: int = 0
    answered_ns: int | None = None
    """None: nothing was seen, or the watch was interrupted."""

    def saw(self, lease: Lease | None, *, asked_ns: int, answered_ns: int) -> LeaseWatch:
        """The watch after an answer of the index."""
        since_ns = self.since_ns if self._goes_on(lease, answered_ns) else answered_ns
        return LeaseWatch(self.place, lease, since_ns, asked_ns, answered_ns)

    def _goes_on(self, lease: Lease | None, answered_ns: int) -> bool:
        """Whether this is the lease that was seen before, unchanged, and not too long ago."""
        if lease is None or self.lease is None or self.answered_ns is None:
            return False
        unchanged = _mark(lease) == _mark(self.lease)
        return unchanged and answered_ns - self.answered_ns <= _ttl_ns(lease) // INTERRUPTED

    def interrupted(self) -> LeaseWatch:
        """The watch after a call that failed: an index that was away proves nothing, since its holder could not renew either."""
        return replace(self, answered_ns=None)

    @property
    def may_take(self) -> bool:
        """Whether the lease, as last seen, may be taken: nobody has it, it is our own, or it was silent for its ttl under our eyes."""
        if self.answered_ns is None:
            return False
        if self.lease is None or self.lease.free or self.lease.holder == self.place:
            return True
        ttl_ns = _ttl_ns(self.lease)
        return self.asked_ns - self.since_ns >= ttl_ns + ttl_ns // DRIFT


def _mark(lease: Lease) -> tuple[int, int, bool]:
    return lease.epoch, lease.renewals, lease.free


def _ttl_ns(lease: Lease) -> int:
    return lease.ttl_us * 1000
