"""TLS of the service's own routes and of its connections: whom it trusts, and what it shows."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.settings import CassandraIndexSettings, Settings
from segments.errors import StartRefused
from segments.secrets import read_secret_file

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with those it is signed by, and its key, as PEM files."""

    certificate_file: Path
    key_file: Path


def api_certificate(settings: Settings) -> Certificate | None:
    """What the API serves by TLS with; None where it serves without. Raises StartRefused if it cannot be used."""
    return _checked("api", settings.api.certificate_file, settings.api.key_file)


def internal_certificate(settings: Settings) -> Certificate | None:
    """The same of the routes between the site's processes."""
    return _checked("internal", settings.internal.certificate_file, settings.internal.certificate_key_file)


def replication_certificate(settings: Settings) -> Certificate | None:
    """The same of the routes other sites ask."""
    return _checked("replication", settings.replication.certificate_file, settings.replication.certificate_key_file)


def trust_in_nodes(settings: Settings) -> ssl.SSLContext | None:
    """How another process of the site is verified: its certificate is signed by `internal.ca_file` for the address it is asked at.

    None where these routes are plain. Raises StartRefused if the file cannot be used.
    """
    return None if settings.internal.ca_file is None else trust_in("internal.ca_file", settings.internal.ca_file)


def trust_in_own_api(settings: Settings) -> ssl.SSLContext | None:
    """How a command of this machine verifies the API beside it: by being shown the very certificate of the settings.

    Under whatever name: a certificate for the public name is right for 127.0.0.1 too if it is this one. None where the API is plain.
    """
    if settings.api.certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    leaf, end, _ = _read("api.certificate_file", settings.api.certificate_file).partition("-----END CERTIFICATE-----")
    _load("api.certificate_file", settings.api.certificate_file, lambda: context.load_verify_locations(cadata=leaf + end))
    return context


def index_tls(index: CassandraIndexSettings, *, as_ourselves: bool = True) -> ssl.SSLContext | None:
    """How the servers of the index are verified, and with `as_ourselves` what we show them; None where connections to them are plain.

    Raises StartRefused if a file cannot be used.
    """
    if index.ca_file is None:
        return None
    context = trust_in("index.ca_file", index.ca_file)
    if as_ourselves and index.certificate_file is not None:
        load = lambda: context.load_cert_chain(index.certificate_file or "", index.key_file)  # noqa: E731
        _load("index.certificate_file", index.certificate_file, load)
    return context


def trust_in(setting: str, ca_file: Path) -> ssl.SSLContext:
    """A client's context that trusts this authority alone; raises StartRefused naming the setting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(setting, ca_file, lambda: context.load_verify_locations(ca_file))
    return context


def _checked(section: str, certificate_file: Path | None, key_file: Path | None) -> Certificate | None:
    if certificate_file is None or key_file is None:
        return None
    read_secret_file(key_file, what=f"the key of {section}.certificate_file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(
        f"{section}.certificate_file", certificate_file, lambda: context.load_cert_chain(certificate_file, key_file, password=_no_password)
    )
    return Certificate(certificate_file, key_file)


def _no_password() -> str:
    raise ValueError("the key is encrypted: nobody is here to type its password")


def _read(setting: str, path: Path) -> str:
    return _load(setting, path, path.read_text)


def _load(setting: str, path: Path, load: Callable[[], T]) -> T:
    try:
        return load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else error
        raise StartRefused(f"{setting}: {path} cannot be used with its key or as an authority ({said})") from None
