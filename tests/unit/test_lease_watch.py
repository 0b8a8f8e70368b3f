"""When a lease may be taken, and how long one of ours holds: by monotonic clocks alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.lease_watch import DRIFT, HeldLease, LeaseWatch
from segments.model import Lease
from tests.builders import a_lease

S = 1_000_000_000
TTL_S = 3
LONG_S = TTL_S + TTL_S / DRIFT


def watched(lease: Lease | None, *moments_s: float, place: str = "node-2", took_s: float = 0.0) -> LeaseWatch:
    """A watch that saw the same lease at each of these moments."""
    watch = LeaseWatch(place)
    for at_s in moments_s:
        watch = watch.saw(lease, asked_ns=round(at_s * S), answered_ns=round((at_s + took_s) * S))
    return watch


def test_nothing_seen_is_nothing_taken() -> None:
    """Before the first answer nobody knows whether the duty is free."""
    assert not LeaseWatch("node-2").may_take


def test_what_nobody_has_is_taken_at_once() -> None:
    """A duty that was never held, or whose lease was given back, may be taken when it is first seen so."""
    assert watched(None, 0).may_take
    assert watched(a_lease(free=True), 0).may_take
    assert not watched(a_lease(), 0).may_take


def test_ones_own_lease_is_taken_at_once() -> None:
    """The processes of a place exclude each other: a lease in its own name is one of its former life."""
    assert watched(a_lease(holder="node-2"), 0).may_take


def test_a_silent_lease_is_taken_after_its_ttl() -> None:
    """Unchanged over the ttl and the drift of two clocks, from after the first answer to before the last: not a moment sooner."""
    moments = [0, 1, 2, LONG_S + 0.2]
    assert watched(a_lease(), *moments, took_s=0.2).may_take
    assert not watched(a_lease(), *moments[:-1], LONG_S + 0.1999, took_s=0.2).may_take


def test_a_renewal_begins_the_watch_anew() -> None:
    """Each renewal, and each new epoch, is a sign of life."""
    watch = watched(a_lease(), 0, 1, 2)
    for changed in (a_lease(renewals=1), a_lease(epoch=2)):
        renewed = watch.saw(changed, asked_ns=3 * S, answered_ns=3 * S)
        assert not renewed.saw(changed, asked_ns=4 * S, answered_ns=4 * S).may_take
        assert renewed.since_ns == 3 * S


@pytest.mark.parametrize("changed", [{"expires_us": 0}, {"expires_us": 1 << 60}, {"previous_expires_us": 9}])
def test_wall_clocks_are_no_sign_of_anything(changed: dict[str, int]) -> None:
    """What the holder's wall clock says neither prolongs the watch nor shortens it."""
    lease = a_lease()
    assert not watched(replace(lease, **changed), 0, 1, 2).may_take
    watch = watched(lease, 0, 1, 2).saw(replace(lease, **changed), asked_ns=round(LONG_S * S), answered_ns=round(3.4 * S))
    assert watch.may_take


def test_an_index_that_was_away_proves_nothing() -> None:
    """After a failed call the watch begins anew: its holder may not have been able to renew either."""
    watch = watched(a_lease(), 0, 1, 2).interrupted()
    assert not watch.may_take
    watch = watch.saw(a_lease(), asked_ns=4 * S, answered_ns=4 * S)
    assert not watch.may_take
    assert watch.since_ns == 4 * S


def test_who_slept_begins_anew() -> None:
    """A watch that saw nothing for half a ttl was frozen, or the index was; what it saw before counts no more."""
    assert not watched(a_lease(), 0, 1, 10).may_take
    assert watched(a_lease(), 0, 1, 10, 11, 12, 13.1).may_take


def test_a_watch_that_was_interrupted_forgets_even_what_is_free() -> None:
    """A free lease is free as last seen, not as seen before a fault."""
    assert not watched(a_lease(free=True), 0).interrupted().may_take


def test_a_holder_counts_from_before_its_call() -> None:
    """What is left is the ttl less all the time since the renewal was sent, below 0 once it is over."""
    held = HeldLease(a_lease(), asked_ns=5 * S)
    assert held.left_s(5 * S) == 3
    assert held.left_s(7 * S) == 1
    assert held.left_s(9 * S) == -1


rates = st.floats(1 - 500e-6, 1 + 500e-6)
waits = st.floats(0, 0.9)


@given(
    holder_rate=rates,
    watcher_rate=rates,
    sent=st.floats(0, 2),
    way=waits,
    looks=st.lists(st.tuples(waits, waits, waits), min_size=1, max_size=30),
)
def test_no_lease_is_taken_while_its_holder_counts_on_it(holder_rate, watcher_rate, sent, way, looks) -> None:
    """Whatever calls take and clocks drift: when the watch says yes, the holder's own clock said that nothing is left."""
    held = HeldLease(a_lease(), asked_ns=int(sent * holder_rate * S))
    effect = sent + way
    watch, now = LeaseWatch("node-2"), 0.0
    for wait, there, back in looks:
        asked, done, answered = now + wait, now + wait + there, now + wait + there + back
        seen = a_lease() if done >= effect else a_lease(epoch=0)
        watch = watch.saw(seen, asked_ns=int(asked * watcher_rate * S), answered_ns=int(answered * watcher_rate * S))
        if watch.may_take and seen.epoch:
            assert held.left_s(int(answered * holder_rate * S)) <= 0
        now = answered
