"""What `keepsight doctor` looks at of backups: whether there are any, how old the last one is, and where the key is that is in none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deploy.backup import LastBackup, due_us, last_backup
from deploy.doctor import Found, Verdict
from deploy.settings import Settings
from deploy.sizes import in_units
from deploy.wiring import open_index
from segments.clock import US_PER_HOUR, SystemClock, iso
from segments.errors import StartRefused, TryAgain

LATE_US = 12 * US_PER_HOUR
"""As the alert has it."""


async def backup(settings: Settings) -> Sequence[Found]:
    """As the index tells it; where it cannot be opened, that is told by itself."""
    last = None
    with suppress(StartRefused, TryAgain):
        if settings.index.kind != "sqlite" or settings.index_path.exists():
            async with open_index(settings) as index:
                last = await last_backup(index)
    return findings(last, settings, SystemClock().now_us())


def findings(last: LastBackup | None, settings: Settings, now_us: int) -> list[Found]:
    """What of it a person should know."""
    if not settings.replication.backup_pool:
        return [
            Found(
                "backup",
                Verdict.NOTED,
                "none are made: if the index is lost, cameras, policies, holds and receipts are",
                "set replication.backup_pool, best to a pool of another machine",
            )
        ]
    key = Found(
        "key of the camera passwords",
        Verdict.NOTED,
        f"{settings.camera_key_path} is in no backup",
        "keep a copy of it elsewhere: without it a restored site has no camera passwords",
    )
    return [_last(last, settings, now_us), key]


def _last(last: LastBackup | None, settings: Settings, now_us: int) -> Found:
    do = "see `keepsight fleet status` for who holds the duty, and the log of that node (duty.failed); docs/runbooks/restore.md"
    if last is None or not last.made_us:
        late = last is not None and now_us > last.since_us + LATE_US
        do = do if late else "the service makes the first one"
        return Found("backup", Verdict.ILL if late else Verdict.NOTED, "none was made yet", do)
    seen = f"the last one is of {iso(last.made_us)}, {last.name} in pool {last.pool}, {in_units(last.size_bytes)}"
    if now_us > due_us(last, settings) + LATE_US:
        return Found("backup", Verdict.ILL, seen, do)
    return Found("backup", Verdict.GOOD, seen)
