"""What makes a start unsafe: small checks, each with a sentence and the setting that mends it (promise R25).

Here are the checks of settings, files, clock and index. A pool that fakes what a setting needs is found by the pools' probe, a schema from
the future by opening the index, a second service by the lock of the spool, and a Ray cluster without token by `deploy.fleet.ray_safety`.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from deploy.clock_sync import ClockSync
from deploy.sections import is_loopback
from deploy.settings import CassandraIndexSettings, Pool, S3Pool, Settings
from deploy.tls import index_tls
from segments.errors import StartRefused
from segments.secrets import read_secret_file
from segments.stores.cassandra_login import Login, asked_login

LEAST_CHARACTERS = 16
"""Of secrets that we or our administrator make up: the token of the API, the key between processes."""
LEAST_KEY_CHARACTERS = 32
"""Of a key shared with another site: whoever sees a request that it signed can try keys at leisure."""

KNOWN_TO_ALL = {"admin", "administrator", "cassandra", "change-me", "changeit", "changeme", "default", "example", "keepsight", "letmein"}
KNOWN_TO_ALL |= {"minio", "minio123", "minioadmin", "none", "passw0rd", "password", "root", "secret", "test", "token", "user", "versitygw"}
"""Secrets of manuals and of programs as they are shipped, in small letters."""


class Rule(StrEnum):
    """What is refused."""

    RAY = "ray-token"
    INDEX_LOGIN = "index-login"
    INDEX_SUPERUSER = "index-superuser"
    INDEX_TLS = "index-tls"
    POOL_TLS = "pool-tls"
    GUESSED = "guessed-secret"
    OPEN_FILE = "open-file"
    API_ACCESS = "api-access"
    NODES_TLS = "nodes-tls"
    SITES_TLS = "sites-tls"
    OWN_SITE = "own-site"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that makes a start unsafe: what it is, in a sentence without a secret, and what to set or to run."""

    rule: Rule
    sentence: str
    mend: str

    def __str__(self) -> str:
        return f"{self.sentence}: {self.mend}"


def refuse(problems: Iterable[Problem]) -> None:
    """Raises StartRefused with all of them, a line each, if there are any."""
    lines = [str(problem) for problem in problems]
    if lines:
        raise StartRefused(lines[0] if len(lines) == 1 else "\n".join(["not safe to start:", *(f"  {line}" for line in lines)]))


async def refuse_unsafe(settings: Settings) -> None:
    """What every program that holds credentials does first; raises StartRefused."""
    refuse([*problems_of(settings), *problems_of_files(settings), *problems_of_clock(settings), *await problems_of_index(settings)])


# --- settings alone ---


def problems_of(settings: Settings) -> list[Problem]:
    """What the settings say themselves. Pure."""
    return [*_open_api(settings), *_plain_nodes(settings), *_plain_sites(settings), *_plain_index(settings), *_plain_pools(settings)]


def _open_api(settings: Settings) -> Iterator[Problem]:
    if settings.access.open and not is_loopback(settings.api.host):
        said = f"api.host {settings.api.host} can be reached from outside, and with access.open the API asks nobody who they are"
        yield Problem(Rule.API_ACCESS, said, "leave access.open out, or bind to 127.0.0.1")
    if settings.access.open and settings.api.token_file is not None:
        said = "api.token_file is set, and with access.open nobody is asked for it"
        yield Problem(Rule.API_ACCESS, said, "leave one of the two out")


def _plain_nodes(settings: Settings) -> Iterator[Problem]:
    internal = settings.internal
    if internal.certificate_file is None and not internal.plain and not is_loopback(internal.host):
        said = f"internal.host {internal.host} can be reached from outside without TLS, and its key can be listened to"
        mend = "set internal.certificate_file, certificate_key_file and ca_file; or internal.plain = true if nobody else can listen there"
        yield Problem(Rule.NODES_TLS, said, mend)


def _plain_sites(settings: Settings) -> Iterator[Problem]:
    own = settings.replication
    closed = all(site.plain for site in settings.sites.values())
    if settings.sites and own.certificate_file is None and not closed and not is_loopback(own.host):
        said = f"replication.host {own.host} can be reached from outside without TLS, and what other sites are told can be read on the way"
        mend = "set replication.certificate_file and certificate_key_file; or plain = true for every site if nobody else can listen there"
        yield Problem(Rule.SITES_TLS, said, mend)
    for name, site in settings.sites.items():
        if not site.safe_url and not site.plain:
            said = f"what site {name} says at {site.url} would come without TLS, and anybody on the way could change it"
            yield Problem(Rule.SITES_TLS, said, f"set sites.{name}.url to an https:// address, or sites.{name}.plain = true")
        if site.unsafe_links and not site.plain:
            said = f"footage of site {name} would come from {site.unsafe_links[0]} without TLS, by links that anybody on the way could use"
            yield Problem(Rule.SITES_TLS, said, f"set sites.{name}.links to https:// addresses, or sites.{name}.plain = true")
        if site.url == settings.replication_url:
            yield Problem(Rule.OWN_SITE, f"sites.{name}.url {site.url} is the address of this very site", "set the other site's address")


def _plain_index(settings: Settings) -> Iterator[Problem]:
    index = settings.index
    if isinstance(index, CassandraIndexSettings) and index.ca_file is None:
        far = [host for host in index.hosts if not is_loopback(host)]
        if far:
            yield Problem(Rule.INDEX_TLS, f"connections to Cassandra at {', '.join(far)} would be without TLS", "set index.ca_file")


def _pools(settings: Settings) -> Iterator[tuple[str, str, Pool]]:
    """All pools, each with what it is called and the section it is set in."""
    yield from ((f"pool {name}", f"pools.{name}", pool) for name, pool in settings.pools.items())
    if settings.exports.pool is not None:
        yield "the pool of exports", "exports.pool", settings.exports.pool


def _plain_pools(settings: Settings) -> Iterator[Problem]:
    for name, section, pool in _pools(settings):
        if isinstance(pool, S3Pool):
            address = urlsplit(pool.endpoint)
            if address.scheme != "https" and not is_loopback(address.hostname or ""):
                said = f"connections to {name} at {address.hostname} would be without TLS"
                yield Problem(Rule.POOL_TLS, said, f"set {section}.endpoint to an https:// address")


# --- files ---


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with a secret: the setting that names it, what it is, the user name that goes with it, whether it was made up for us, and how
    many characters it needs then.
    """

    setting: str
    path: Path
    what: str
    user: str = ""
    ours: bool = False
    least: int = LEAST_CHARACTERS


def secret_files(settings: Settings) -> list[SecretFile]:
    """The secrets of a configuration. Keys that the first start makes are among them once they are there."""
    files = [
        SecretFile("api.token_file", settings.api.token_file, "the token of the API", ours=True) if settings.api.token_file else None,
        None if settings.api.token_file else _kept("site.folder", None, settings.local_key_path, "the token of the API"),
        _kept("internal.key_file", settings.internal.key_file, settings.internal_key_path, "the key between the site's processes"),
        _kept("metrics.key_file", settings.metrics.key_file, settings.metrics_key_path, "the key of the metrics"),
        _kept("cameras.key_file", settings.cameras.key_file, settings.camera_key_path, "the key of the camera passwords"),
        _kept("webhooks.key_file", settings.webhooks.key_file, settings.webhook_key_path, "the key of the webhooks' secrets"),
    ]
    if isinstance(settings.index, CassandraIndexSettings) and settings.index.password_file:
        files.append(SecretFile("index.password_file", settings.index.password_file, "the password of the index", settings.index.user))
    for name, section, pool in _pools(settings):
        if isinstance(pool, S3Pool):
            what = f"the secret key of {name}"
            files.append(SecretFile(f"{section}.secret_file", pool.secret_file, what, pool.access_key_id))
            if pool.locks_secret_file is not None:
                files.append(SecretFile(f"{section}.locks_secret_file", pool.locks_secret_file, what, pool.locks_access_key_id))
    files += [
        SecretFile(f"sites.{name}.key_file", site.key_file, f"the key shared with site {name}", ours=True, least=LEAST_KEY_CHARACTERS)
        for name, site in settings.sites.items()
    ]
    if settings.access.oidc.client_secret_file is not None:
        path, client = settings.access.oidc.client_secret_file, settings.access.oidc.client_id
        files.append(SecretFile("access.oidc.client_secret_file", path, "the secret of the sign-in client", client))
    return [file for file in files if file is not None]


def certificate_keys(settings: Settings) -> list[SecretFile]:
    """The private keys of certificates."""
    index = settings.index
    named = {
        "api.key_file": settings.api.key_file,
        "internal.certificate_key_file": settings.internal.certificate_key_file,
        "replication.certificate_key_file": settings.replication.certificate_key_file,
        "index.key_file": index.key_file if isinstance(index, CassandraIndexSettings) else None,
    }
    return [SecretFile(setting, path, "the key of a certificate") for setting, path in named.items() if path is not None]


def problems_of_files(settings: Settings) -> list[Problem]:
    """Secrets that others can read, that cannot be read, or that anybody would guess; a spool that others may enter."""
    found = [problem for file in secret_files(settings) for problem in _secret(file, guessable=True)]
    found += [problem for file in certificate_keys(settings) for problem in _secret(file, guessable=False)]
    return [*found, *_open_spool(settings.spool_folder)]


def weakness(secret: str, *, user: str = "", ours: bool = False, least: int = LEAST_CHARACTERS) -> str:
    """Why a secret would be guessed, in words that do not tell it; empty if it would not. Pure."""
    if secret.lower() in KNOWN_TO_ALL or (user and secret == user):
        return "is one that everybody knows"
    if len(set(secret)) == 1:
        return "is one character over and over"
    if ours and len(secret) < least:
        return f"has fewer than {least} characters"
    return ""


def _kept(setting: str, named: Path | None, path: Path, what: str) -> SecretFile | None:
    return SecretFile(setting, path, what, ours=True) if named is not None or path.exists() else None


def _secret(file: SecretFile, *, guessable: bool) -> Iterator[Problem]:
    try:
        secret = read_secret_file(file.path, what=file.what)
    except StartRefused as refusal:
        yield Problem(Rule.OPEN_FILE, str(refusal), f"see {file.setting}")
        return
    weak = weakness(secret, user=file.user, ours=file.ours, least=file.least) if guessable else ""
    if weak:
        yield Problem(Rule.GUESSED, f"{file.path}: {file.what} {weak}", f"put another one into the file that {file.setting} names")


def _open_spool(folder: Path) -> Iterator[Problem]:
    with contextlib.suppress(OSError):  # not there yet: the start makes it
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            yield Problem(Rule.OPEN_FILE, f"spool {folder} is open to other users", f"run: chmod 700 {folder}")


# --- clock and index ---


def problems_of_clock(settings: Settings, synced: Callable[[], bool] | None = None) -> list[Problem]:
    """A clock that nothing keeps right, where the settings want one."""
    if not settings.requires_sync or (synced or ClockSync())():
        return []
    said = "this machine's clock is not synchronised, so its footage would lie at wrong times beside that of other nodes"
    return [Problem(Rule.CLOCK, said, "run an NTP service (chrony), or set clock.require_sync = false")]


async def problems_of_index(settings: Settings) -> list[Problem]:
    """Cassandra servers that let in whoever comes, or their default superuser. One that does not answer is passed over."""
    index = settings.index
    if not isinstance(index, CassandraIndexSettings):
        return []
    tls = index_tls(index, as_ourselves=False)
    logins = await asyncio.gather(*(asked_login(host, index.port, tls) for host in index.hosts))
    return [problem for host, login in zip(index.hosts, logins, strict=True) for problem in _login(f"Cassandra at {host}", login)]


def _login(server: str, login: Login) -> Iterator[Problem]:
    if login is Login.OPEN:
        mend = "set its authenticator to PasswordAuthenticator, and index.user and index.password_file to a role made for Keepsight"
        yield Problem(Rule.INDEX_LOGIN, f"{server} lets in whoever comes, without a login", mend)
    if login is Login.DEFAULT:
        mend = (
            "make another superuser, ALTER ROLE cassandra WITH LOGIN = false AND SUPERUSER = false, and set index.user to a role of its own"
        )
        yield Problem(Rule.INDEX_SUPERUSER, f"{server} still has its default superuser with the default password", mend)
