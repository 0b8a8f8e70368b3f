"""How a bucket is reached: its settings, and a botocore client for what is asked of buckets beside their objects (versions, locks, links).

The client takes nothing from the environment or from files of other tools: neither keys, nor endpoints, nor proxies.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from segments.errors import StartRefused


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is and who we are there. Path-style requests; the secret is never printed."""

    endpoint: str
    bucket: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    allow_http: bool = False
    ca_file: Path | None = None
    """Authorities (PEM) the store's certificate may be signed by; none: those of the system."""
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 45.0
    """Of a whole put, head, page or delete, and of each silence within a read; below the commit deadline of 60 s."""

    def __post_init__(self) -> None:
        """Raises StartRefused for an address that cannot be used."""
        address = urlsplit(self.endpoint)
        if address.scheme not in ("http", "https") or not address.hostname or address.username or address.password or address.query:
            raise StartRefused("the S3 endpoint must be http(s)://host[:port], without user or password in it")
        if address.scheme == "http" and not self.allow_http:
            raise StartRefused(f"the S3 endpoint {self.endpoint} is without TLS: use https, or allow http where the network is your own")


def authorities(settings: S3Settings) -> bytes | None:
    """The content of `ca_file`, None where none is named; raises StartRefused if it cannot be read."""
    if settings.ca_file is None:
        return None
    try:
        return settings.ca_file.read_bytes()
    except OSError as error:
        raise StartRefused(f"{settings.ca_file}: the certificates of the store's authority cannot be read ({error.strerror})") from None


def tls(settings: S3Settings) -> ssl.SSLContext:
    """Trusts the authorities of `ca_file`, or else those of the system; raises StartRefused."""
    roots = authorities(settings)
    return ssl.create_default_context(cadata=None if roots is None else roots.decode("ascii", "replace"))


def bucket_client(settings: S3Settings, *, connections: int = 10) -> Any:
    """A botocore client, SigV4, that repeats nothing. Its calls block."""
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    defaults = {name: ConstantProvider(default) for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    defaults |= {name: ConstantProvider(os.devnull) for name in ("config_file", "credentials_file")}
    session = Session()
    session.register_component("config_store", ConfigValueStore(defaults))
    return session.create_client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        verify=True if settings.ca_file is None else str(settings.ca_file),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",  # others are not known to every store
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.request_timeout_s,
            max_pool_connections=connections,
            proxies={},
        ),
    )
