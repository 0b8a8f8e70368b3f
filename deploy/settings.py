"""The configuration: one TOML file, overridden by environment variables `KEEPSIGHT_<SECTION>__<NAME>`; unknown keys are refused."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from segments.errors import StartRefused

ENVIRONMENT_PREFIX = "KEEPSIGHT_"
GIB = 1 << 30


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def base_url(host: str, port: int) -> str:
    """The address a service listens on, as its neighbours write it."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
    name = everywhere.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


class SiteSettings(_Section):
    """Who we are. The name is part of every run's id and never changes once footage exists."""

    name: str = Field("home", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]{0,31}$")
    folder: Path = Path("keepsight-data")
    """Where everything lies that has no path of its own: spool, pool, index, keys."""


class SpoolSettings(_Section):
    """Where footage becomes durable first: a folder on the recorder's own disk."""

    folder: Path | None = None
    max_bytes: int = Field(20 * GIB, ge=16 << 20)
    min_free_bytes: int = Field(GIB, ge=0)


class IndexSettings(_Section):
    """The time index."""

    kind: Literal["sqlite"] = "sqlite"
    path: Path | None = None


class FilePool(_Section):
    """A pool that is a folder."""

    kind: Literal["files"] = "files"
    folder: Path | None = None


class S3Pool(_Section):
    """A pool that is a bucket of an S3-compatible store."""

    kind: Literal["s3"]
    endpoint: str
    bucket: str
    region: str = "us-east-1"
    access_key_id: str
    secret_file: Path
    """A file, readable by its owner only, holding the secret access key."""


class ApiSettings(_Section):
    """The API and the page for users."""

    host: str = "127.0.0.1"
    port: int = Field(8480, ge=1, le=65535)
    token_file: Path | None = None

    @model_validator(mode="after")
    def _token_off_loopback(self) -> ApiSettings:
        if self.token_file is None and not _is_loopback(self.host):
            raise ValueError(f"host {self.host} can be reached from outside: set api.token_file, or bind to 127.0.0.1")
        return self


class InternalSettings(_Section):
    """Routes between processes of the site: their own port and key."""

    host: str = "127.0.0.1"
    port: int = Field(8481, ge=1, le=65535)
    key_file: Path | None = None


class FleetSettings(_Section):
    """Who records. The local fleet is processes of this machine."""

    kind: Literal["local"] = "local"
    recorders: int = Field(1, ge=1, le=64)
    lease_s: float = Field(15.0, ge=3.0, le=300.0)


class RecordingSettings(_Section):
    """How footage is cut."""

    segment_s: int = Field(60, ge=2, le=300)
    silence_s: float = Field(10.0, ge=1.0, le=300.0)
    """Without media for so long a camera counts as silent and is opened anew."""


class CameraSettings(_Section):
    """Where cameras may be, and the key their passwords are sealed with."""

    networks: tuple[IPv4Network | IPv6Network, ...] = (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("fc00::/7"),
    )
    allow_loopback: bool = False
    key_file: Path | None = None


class RetentionSettings(_Section):
    """What the commit needs to know of retention: no footage is deleted before it is so old."""

    shortest_floor_days: int = Field(30, ge=1)


PoolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Pool = Annotated[FilePool | S3Pool, Field(discriminator="kind")]


class Settings(_Section):
    """The whole configuration."""

    site: SiteSettings = SiteSettings()
    spool: SpoolSettings = SpoolSettings()
    index: IndexSettings = IndexSettings()
    pools: dict[PoolName, Pool] = {"main": FilePool()}
    default_pool: str = "main"
    """The pool of cameras that name none."""
    api: ApiSettings = ApiSettings()
    internal: InternalSettings = InternalSettings()
    fleet: FleetSettings = FleetSettings()
    recording: RecordingSettings = RecordingSettings()
    cameras: CameraSettings = CameraSettings()
    retention: RetentionSettings = RetentionSettings()

    @model_validator(mode="after")
    def _default_pool_is_there(self) -> Settings:
        if self.default_pool not in self.pools:
            raise ValueError(f"default_pool {self.default_pool!r} is not one of the pools {sorted(self.pools)}")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        if self.api.port == self.internal.port:
            raise ValueError(f"api.port and internal.port are both {self.api.port}: they must differ")
        return self

    @property
    def spool_folder(self) -> Path:
        """Where the spool lies."""
        return self.spool.folder or self.site.folder / "spool"

    @property
    def index_path(self) -> Path:
        """Where the embedded index lies."""
        return self.index.path or self.site.folder / "index.sqlite"

    @property
    def camera_key_path(self) -> Path:
        """The key of the camera passwords."""
        return self.cameras.key_file or self.site.folder / "keys" / "cameras.key"

    @property
    def internal_key_path(self) -> Path:
        """The key of the routes between processes."""
        return self.internal.key_file or self.site.folder / "keys" / "internal.key"

    @property
    def socket_path(self) -> Path:
        """The socket between recorders and uploader."""
        return self.site.folder / "run" / "uploader.sock"


def load_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file (None: defaults) with the environment's overrides; raises StartRefused naming every wrong key.

    Relative paths are taken from the folder of the file.
    """
    values: dict[str, Any] = {}
    base = Path.cwd()
    if path is not None:
        try:
            values = tomllib.loads(path.read_text())
        except OSError as error:
            raise StartRefused(f"{path}: the configuration cannot be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StartRefused(f"{path}: not TOML: {error}") from None
        base = path.resolve().parent
    _override(values, environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise StartRefused(_sentences(error, path)) from None
    return _with_paths_from(settings, base)


def _override(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    """`KEEPSIGHT_API__PORT=9000` sets `port` of `[api]`, `KEEPSIGHT_DEFAULT_POOL=archive` the key above all sections."""
    for name, text in sorted(environment.items()):
        *sections, last = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or not (sections or last == "default_pool"):
            continue
        place = values
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise StartRefused(f"{name}: {section} is not a section of the configuration")
        place[last] = text.split(",") if last == "networks" else text


def _with_paths_from(settings: Settings, base: Path) -> Settings:
    site = settings.site.model_copy(update={"folder": base / settings.site.folder})
    update: dict[str, Any] = {"site": site}
    for section, field in (
        ("spool", "folder"),
        ("index", "path"),
        ("api", "token_file"),
        ("internal", "key_file"),
        ("cameras", "key_file"),
    ):
        part = getattr(settings, section)
        value = getattr(part, field)
        if value is not None:
            update[section] = part.model_copy(update={field: base / value})
    update["pools"] = {name: _pool_from(pool, base) for name, pool in settings.pools.items()}
    return settings.model_copy(update=update)


def _pool_from(pool: Pool, base: Path) -> Pool:
    if isinstance(pool, S3Pool):
        return pool.model_copy(update={"secret_file": base / pool.secret_file})
    return pool if pool.folder is None else pool.model_copy(update={"folder": base / pool.folder})


def _sentences(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"]) or "configuration"
        what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {what}")
    return "\n".join([f"{path or 'configuration'} is not right:", *lines])
