"""What a lease is after a call: the rules of leases as pure functions over the present lease, the same in every index."""

from __future__ import annotations

from dataclasses import replace

from segments.model import Lease


def is_as_seen(present: Lease | None, seen: Lease | None) -> bool:
    """Whether the lease is still the one that was seen: nobody took it, renewed it or gave it back since."""
    if present is None or seen is None:
        return present is seen
    return (present.epoch, present.renewals, present.free) == (seen.epoch, seen.renewals, seen.free)


def granted(seen: Lease | None, wanted: Lease, now_us: int) -> Lease:
    """The wanted lease, after the one that was seen: where that one was still good it is over at `now_us`, since its epoch is."""
    return replace(wanted, previous_expires_us=min(seen.expires_us, now_us) if seen else 0)


def renewed(present: Lease | None, lease: Lease, now_us: int, ttl_us: int) -> Lease | None:
    """The lease prolonged to `ttl_us` from now; None if its epoch is the duty's no more, or it was given back."""
    if present is None or present.epoch != lease.epoch or present.free:
        return None
    return replace(present, expires_us=now_us + ttl_us, ttl_us=ttl_us, renewals=present.renewals + 1)


def released(present: Lease | None, lease: Lease, now_us: int) -> Lease | None:
    """The lease given back at `now_us` (never prolonged); None if its epoch is the duty's no more, or it was given back before."""
    if present is None or present.epoch != lease.epoch or present.free:
        return None
    return replace(present, expires_us=min(present.expires_us, now_us), free=True)
