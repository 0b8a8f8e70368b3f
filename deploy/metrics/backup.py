"""What a site tells of its backups. The node that supervises tells it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from deploy.backup import LastBackup, due_us, last_backup
from deploy.settings import Settings
from segments.clock import US_PER_S
from segments.ports import Records


class BackupMetrics:
    """The instruments; 0 where no backups are wanted, and on nodes that do not supervise."""

    def __init__(self, registry: CollectorRegistry, settings: Settings) -> None:
        self._settings = settings
        self._finished = Gauge(
            "keepsight_backup_finished_timestamp_seconds",
            "When what the last backup has was read; 0 before the first, and where another node tells it.",
            registry=registry,
        )
        self._due = Gauge(
            "keepsight_backup_due_timestamp_seconds",
            "When the next backup is due; 0 where none are wanted, and where another node tells it.",
            registry=registry,
        )

    async def sample(self, records: Records, *, supervises: bool) -> None:
        """Reads the record of the last one, and sets both."""
        wanted = supervises and bool(self._settings.replication.backup_pool)
        self.show(await last_backup(records) if wanted else None)

    def show(self, last: LastBackup | None) -> None:
        """Sets both; None: nothing is told."""
        self._finished.set(last.made_us / US_PER_S if last else 0)
        self._due.set(due_us(last, self._settings) / US_PER_S if last else 0)
