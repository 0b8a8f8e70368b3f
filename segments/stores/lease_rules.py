"""Who holds a shard after a call: the rules of leases as pure functions over the present lease, the same in every index."""

from __future__ import annotations

from dataclasses import replace

from segments.model import Lease


def is_free(present: Lease | None, holder: str, now_us: int) -> bool:
    """Whether a holder may take the shard: nobody has it, its lease has run out, or it is the holder's own."""
    return present is None or present.expires_us <= now_us or present.holder == holder


def granted(present: Lease | None, wanted: Lease, now_us: int) -> Lease:
    """The wanted lease with the end of the one before it: a lease still good is over at `now_us`, since its epoch is."""
    previous_us = min(present.expires_us, now_us) if present else 0
    return replace(wanted, previous_expires_us=previous_us)


def renewed(present: Lease | None, lease: Lease, until_us: int) -> Lease | None:
    """The lease prolonged to `until_us` (never shortened), None if its epoch holds the shard no more."""
    if present is None or present.epoch != lease.epoch:
        return None
    return replace(present, expires_us=max(present.expires_us, until_us))


def released(present: Lease | None, lease: Lease, now_us: int) -> Lease | None:
    """The lease ended at `now_us` (never prolonged), None if its epoch holds the shard no more."""
    if present is None or present.epoch != lease.epoch:
        return None
    return replace(present, expires_us=min(present.expires_us, now_us))
