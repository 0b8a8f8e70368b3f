"""What any program tells of the machine and the parts around it: clock, certificates, room in pools, and what pools can really do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from recorder.spool_folder import free_bytes
from segments.errors import StartRefused


class MachineMetrics:
    """Reads small facts of the machine for each scrape: `certificates` and `pool_folders` are paths by the names they are told under."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        clock_synced: Callable[[], bool],
        certificates: Mapping[str, Path],
        pool_folders: Mapping[str, Path],
    ) -> None:
        self._clock_synced = clock_synced
        self._certificates = certificates
        self._pool_folders = pool_folders
        self._clock = Gauge("keepsight_clock_synchronised", "1 while this machine's clock is synchronised.", registry=registry)
        self._expiry = Gauge(
            "keepsight_certificate_expiry_timestamp_seconds", "When a certificate runs out.", ["certificate"], registry=registry
        )
        self._free = Gauge("keepsight_pool_free_bytes", "Bytes the disk of a pool in a folder has left.", ["pool"], registry=registry)

    async def sample(self) -> None:
        """Reads all of it."""
        self._clock.set(self._clock_synced())
        for name, path in self._certificates.items():
            self._expiry.labels(name).set(await asyncio.to_thread(expiry_s, path))
        for pool, folder in self._pool_folders.items():
            self._free.labels(pool).set(await asyncio.to_thread(free_bytes, folder))


def expiry_s(path: Path) -> float:
    """When the first certificate of a PEM file runs out, seconds since 1970; raises StartRefused."""
    from cryptography import x509  # large, and few have certificates

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except OSError as error:
        raise StartRefused(f"{path}: the certificate cannot be read ({error.strerror})") from None
    except ValueError:
        raise StartRefused(f"{path} is no certificate in PEM form") from None
