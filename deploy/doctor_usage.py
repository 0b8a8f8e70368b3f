"""What `keepsight doctor` looks at of usage: whether what was recorded is written down before its footage goes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deploy.doctor import Found, Verdict
from deploy.settings import Settings
from deploy.usage_report import LATE_US, UsageReport, usage_reports
from deploy.wiring import open_index
from segments.clock import SystemClock, iso
from segments.errors import StartRefused, TryAgain


async def usage(settings: Settings) -> Sequence[Found]:
    """As the index tells it; nothing where there is none yet, or it cannot be opened: that is told by itself."""
    if settings.index.kind == "sqlite" and not settings.index_path.exists():
        return []
    with suppress(StartRefused, TryAgain):
        async with open_index(settings) as index:
            return findings(await usage_reports(index), now_us=SystemClock().now_us())
    return []


def findings(reports: Sequence[UsageReport], *, now_us: int) -> list[Found]:
    """What of it a person should know."""
    if not reports:
        return [Found("usage", Verdict.NOTED, "none was written down yet", "the service does it some minutes after its first start")]
    do = "see `keepsight fleet status` for who holds the duty, its log (usage.not-kept, duty.failed), and docs/runbooks/usage-not-kept.md"
    ill = [Found(each.duty, Verdict.ILL, _seen(each), do) for each in reports if each.faults or now_us - each.finished_us > LATE_US]
    if ill:
        return ill
    return [Found("usage", Verdict.GOOD, f"of all days (UTC) before {min(each.before for each in reports)} it is written down")]


def _seen(report: UsageReport) -> str:
    last = f"was last written down on {iso(report.finished_us)}" if report.finished_us else "was never written down"
    return f"what was recorded {last}, at {report.place}" + (f": {report.faults[0]}" if report.faults else "")
