"""One account a consumer: what it may still ask for, what it plays, and what it took.

A *consumer* is a subject: a person or a key of a platform. Who asks where no access is controlled is nobody's consumer: only the limits a
client address has hold there, and what is taken is counted as `open`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Protocol

from playback.consumers.allowance import QUOTA, UNLIMITED, Allowance, allowance_of, quota_id
from playback.consumers.bucket import Bucket
from playback.consumers.metering import Metering
from playback.consumers.rate_fields import BYTES, EXPORT, REQUESTS, STREAMS, TIMELINE, WINDOW_S, OverQuota, policy_field
from playback.consumers.streams import Stream, Streams
from playback.lately import Lately
from segments.access import EVERYBODY
from segments.clock import US_PER_DAY, US_PER_S, Clock, day_of
from segments.errors import NotFound
from segments.model import Span
from segments.ports import Records

MOST_ACCOUNTS = 10_000
KEPT_S = 2.0
"""A quota that is set binds after so long."""
OWED_S = 5.0
"""A consumer whose answers under way are more than so many seconds of its bandwidth gets no new ones."""


class Quotas(Protocol):
    """What jobs ask that export for somebody."""

    async def export(self, subject_id: str, seconds: float) -> None:
        """Counts so much footage as exported today; raises OverQuota, and counts nothing, if that is more than is allowed."""


class Account:
    """What one consumer may still do in this process."""

    def __init__(self, subject_id: str, allowance: Allowance, now_ns: int) -> None:
        self.subject_id = subject_id
        self.allowance = allowance
        self.policy = policy_field(allowance)
        self.requests = Bucket(allowance.requests_per_s or 1, max(1.0, allowance.requests_per_s * WINDOW_S), now_ns)
        self.bytes = Bucket(allowance.bytes_per_s or 1, allowance.bytes_per_s, now_ns)
        self.timeline = Bucket((allowance.timeline_days_per_minute or 1) / 60, allowance.timeline_days_per_minute, now_ns)
        self.streams = Streams()
        self.exporting_s = 0.0
        """Seconds of exports under way that are not counted yet."""

    def over(self, sentence: str, policy: str, wait_s: float) -> OverQuota:
        """The error of one that asks too much."""
        return OverQuota(sentence, policy, self.allowance, wait_s)


class Consumers:
    """The accounts of one process. Limits are exact in a process; several processes allow each their own, but share export hours."""

    def __init__(self, records: Records, clock: Clock, default: Allowance, metering: Metering) -> None:
        self._records = records
        self.clock = clock
        self.metering = metering
        self._default = default
        self._allowances = Lately(self._read_allowance, clock, KEPT_S)
        self._exported = Lately(self._read_exported, clock, 60.0)
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self.refusals: Counter[str] = Counter()
        """How often each limit was met, for the metrics."""

    async def admit(self, subject_id: str, *, footage: bool) -> Account:
        """Counts a request; raises OverQuota. One for footage also waits until enough of what was sent is paid for."""
        account = await self.account(subject_id)
        allowance, now_ns = account.allowance, self.clock.monotonic_ns()
        self.metering.used(subject_id).requests += 1
        if allowance.requests_per_s and account.requests.left(now_ns) < 1:
            wait_s = account.requests.wait_s(1, now_ns)
            raise self._refused(
                account.over(f"you may send {allowance.requests_per_s:g} requests a second", REQUESTS, wait_s), REQUESTS, account
            )
        account.requests.take(1, now_ns)
        owed_s = account.bytes.wait_s(0, now_ns) if allowance.bytes_per_s else 0.0
        if footage and owed_s > OWED_S:
            sentence = f"you get {allowance.bytes_per_s} bytes a second, and {owed_s:.0f} s of that are on their way"
            raise self._refused(account.over(sentence, BYTES, owed_s - OWED_S), BYTES, account)
        return account

    def stream(self, account: Account, camera: str, at_us: int) -> Stream:
        """The stream that footage from this moment on belongs to; raises OverQuota."""
        now_ns, most = self.clock.monotonic_ns(), account.allowance.streams
        found = account.streams.join(camera, at_us, most, now_ns)
        if found is None:
            wait_s = account.streams.wait_s(now_ns)
            raise self._refused(account.over(f"you may play {most} streams at once", STREAMS, wait_s), STREAMS, account)
        return found

    async def timeline(self, subject_id: str, span: Span) -> None:
        """Counts a span of timeline that is asked for; raises OverQuota."""
        account, days = await self.account(subject_id), (span.end_us - span.start_us) / US_PER_DAY
        limit, now_ns = account.allowance.timeline_days_per_minute, self.clock.monotonic_ns()
        if not limit:
            return
        wait_s = account.timeline.wait_s(days, now_ns)
        if wait_s:
            raise self._refused(account.over(f"you may ask for {limit:g} days of timeline a minute", TIMELINE, wait_s), TIMELINE, account)
        account.timeline.take(days, now_ns)

    async def may_export(self, account: Account, seconds: float) -> None:
        """Raises OverQuota if so much more cannot be exported today. Nothing is counted."""
        limit_s = account.allowance.export_hours_per_day * 3600
        if not limit_s:
            return
        day = day_of(self.clock.now_us())
        elsewhere_s = await self._exported((account.subject_id, str(day)))
        used_s = elsewhere_s + self.metering.used(account.subject_id).exported_s + account.exporting_s
        if used_s + seconds > limit_s:
            left_us = US_PER_DAY - self.clock.now_us() % US_PER_DAY
            taken = f"{used_s / 3600:.1f} are taken, this is {seconds / 3600:.1f} more"
            sentence = f"you may export {limit_s / 3600:g} hours of footage a day (UTC): {taken}"
            raise self._refused(account.over(sentence, EXPORT, left_us / US_PER_S), EXPORT, account)

    async def export(self, subject_id: str, seconds: float) -> None:
        """See `Quotas`."""
        await self.may_export(await self.account(subject_id), seconds)
        self.metering.used(subject_id).exported_s += seconds

    async def account(self, subject_id: str) -> Account:
        """The account of somebody; one whose quota was changed begins anew."""
        allowance = UNLIMITED if subject_id == EVERYBODY.id else await self._allowances(subject_id)
        found = self._accounts.get(subject_id)
        if found is None or found.allowance != allowance:
            found = self._accounts[subject_id] = Account(subject_id, allowance, self.clock.monotonic_ns())
            while len(self._accounts) > MOST_ACCOUNTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(subject_id)
        return found

    def streams_now(self) -> int:
        """How many streams are played from this process."""
        now_ns = self.clock.monotonic_ns()
        return sum(account.streams.active(now_ns) for account in self._accounts.values())

    def _refused(self, error: OverQuota, policy: str, account: Account) -> OverQuota:
        self.refusals[policy] += 1
        self.metering.used(account.subject_id).refused += 1
        return error

    async def _read_allowance(self, subject_id: str) -> Allowance:
        try:
            return allowance_of(self._default, await self._records.record(QUOTA, quota_id(subject_id)))
        except NotFound:
            return self._default

    async def _read_exported(self, key: tuple[str, str]) -> float:
        return await self.metering.exported_elsewhere_s(key[0])
