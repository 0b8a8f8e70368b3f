"""The configuration: one TOML file, overridden by environment variables `KEEPSIGHT_<SECTION>__<NAME>`; unknown keys are refused."""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from deploy.access_sections import AccessSettings
from deploy.exports_section import ExportsSettings
from deploy.sections import (
    ApiSettings,
    CameraSettings,
    ClockSettings,
    FleetSettings,
    InternalSettings,
    LimitsSettings,
    LogsSettings,
    MetricsSettings,
    NodeSettings,
    PlaybackSettings,
    RecordingSettings,
    RetentionSettings,
    Section,
    SiteSettings,
    SpoolSettings,
    WebhookSettings,
    base_url,
)
from deploy.site_sections import OtherSiteSettings, ReplicationSettings, SiteName
from deploy.store_sections import (
    CassandraIndexSettings,
    FilePool,
    IndexSettings,
    Pool,
    PoolName,
    PoolRuleSection,
    S3Pool,
    SqliteIndexSettings,
)
from segments.errors import StartRefused
from segments.pools import PoolRule, PoolRules

__all__ = [
    "ENVIRONMENT_PREFIX",
    "CassandraIndexSettings",
    "FilePool",
    "Pool",
    "S3Pool",
    "Settings",
    "SqliteIndexSettings",
    "base_url",
    "load_settings",
]

M = TypeVar("M", bound=BaseModel)

ENVIRONMENT_PREFIX = "KEEPSIGHT_"
_LISTS = {"networks", "hosts", "links", "algorithms", "scopes", "no_links_pools", "no_links_tiers"}
"""Keys that the environment writes with commas."""


def _one_folder() -> dict[PoolName, Pool]:
    return {"main": FilePool()}


class Settings(Section):
    """The whole configuration."""

    site: SiteSettings = SiteSettings()
    node: NodeSettings = NodeSettings()
    spool: SpoolSettings = SpoolSettings()
    index: IndexSettings = SqliteIndexSettings()
    pools: dict[PoolName, Pool] = Field(default_factory=_one_folder)
    default_pool: str = "main"
    """The pool of cameras that no rule fits."""
    pool_rules: tuple[PoolRuleSection, ...] = ()
    api: ApiSettings = ApiSettings()
    internal: InternalSettings = InternalSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitsSettings = LimitsSettings()
    playback: PlaybackSettings = PlaybackSettings()
    fleet: FleetSettings = FleetSettings()
    clock: ClockSettings = ClockSettings()
    logs: LogsSettings = LogsSettings()
    metrics: MetricsSettings = MetricsSettings()
    recording: RecordingSettings = RecordingSettings()
    cameras: CameraSettings = CameraSettings()
    retention: RetentionSettings = RetentionSettings()
    webhooks: WebhookSettings = WebhookSettings()
    exports: ExportsSettings = ExportsSettings()
    sites: dict[SiteName, OtherSiteSettings] = Field(default_factory=dict)
    """The other sites, by name."""
    replication: ReplicationSettings = ReplicationSettings()

    @model_validator(mode="after")
    def _default_pool_is_there(self) -> Settings:
        if self.default_pool not in self.pools:
            raise ValueError(f"default_pool {self.default_pool!r} is not one of the pools {sorted(self.pools)}")
        return self

    @model_validator(mode="after")
    def _pools_of_rules_are_there(self) -> Settings:
        unknown = {pool for rule in self.pool_rules for pool in rule.pools} - self.pools.keys()
        if unknown:
            raise ValueError(f"pool_rules name {', '.join(sorted(unknown))}, not one of the pools {sorted(self.pools)}")
        return self

    @model_validator(mode="after")
    def _pools_without_links_are_there(self) -> Settings:
        unknown = set(self.playback.no_links_pools) - self.pools.keys()
        if unknown:
            raise ValueError(f"playback.no_links_pools names {', '.join(sorted(unknown))}, not one of the pools {sorted(self.pools)}")
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        if self.api.port == self.internal.port:
            raise ValueError(f"api.port and internal.port are both {self.api.port}: they must differ")
        if self.sites and self.replication.port in (self.api.port, self.internal.port):
            raise ValueError(f"replication.port {self.replication.port} is the port of api or internal, too: they must differ")
        return self

    @model_validator(mode="after")
    def _named_sites_are_there(self) -> Settings:
        if self.site.name in self.sites:
            raise ValueError(f"sites.{self.site.name} is this very site: name other sites only")
        if self.replication.witness and self.replication.witness not in self.sites:
            raise ValueError(f"replication.witness {self.replication.witness!r} is not one of the sites {sorted(self.sites)}")
        if self.replication.backup_pool and self.replication.backup_pool not in self.pools:
            raise ValueError(f"replication.backup_pool {self.replication.backup_pool!r} is not one of the pools {sorted(self.pools)}")
        return self

    @model_validator(mode="after")
    def _a_fleet_of_nodes_shares_its_index(self) -> Settings:
        if self.fleet.kind == "ray" and self.index.kind == "sqlite":
            raise ValueError("fleet.kind ray needs an index all nodes share: set index.kind to cassandra")
        return self

    @property
    def node_name(self) -> str:
        """The name of this machine's place."""
        return self.node.name or ("local" if self.fleet.kind == "local" else socket.gethostname())

    @property
    def shards(self) -> int:
        """Into how many shards the site's cameras are divided."""
        return self.fleet.shards or self.fleet.recorders

    @property
    def sweep_shards(self) -> int:
        """Into how many shards the sweep is divided."""
        return self.retention.sweep_shards or (1 if self.fleet.kind == "local" else 8)

    @property
    def lease_s(self) -> float:
        """How long a lease lasts from each renewal."""
        return self.fleet.lease_s or (15.0 if self.fleet.kind == "local" else 2.5)

    @property
    def requires_sync(self) -> bool:
        """Whether an unsynchronised clock refuses the start."""
        return self.fleet.kind == "ray" if self.clock.require_sync is None else self.clock.require_sync

    @property
    def pool_assignment(self) -> PoolRules:
        """Which pool a camera's new footage goes to."""
        rules = [PoolRule(rule.pools, rule.area, rule.camera_class, rule.owner) for rule in self.pool_rules]
        return PoolRules({name: pool.state for name, pool in self.pools.items()}, self.default_pool, rules)

    @property
    def api_url(self) -> str:
        """Where this machine reaches its API."""
        return base_url(self.api.host, self.api.port, tls=self.api.certificate_file is not None)

    @property
    def internal_url(self) -> str:
        """Where this machine reaches the routes between the site's processes."""
        return base_url(self.internal.host, self.internal.port, tls=self.internal.certificate_file is not None)

    @property
    def place_url(self) -> str:
        """Where all processes of the site reach those routes of this machine."""
        return self.internal.advertise or self.internal_url

    @property
    def replication_url(self) -> str:
        """Where other sites reach us."""
        own = self.replication
        return own.advertise or base_url(own.host, own.port, tls=own.certificate_file is not None)

    @property
    def spool_folder(self) -> Path:
        """Where the spool lies."""
        return self.spool.folder or self.site.folder / "spool"

    @property
    def index_path(self) -> Path:
        """Where the embedded index lies."""
        path = self.index.path if isinstance(self.index, SqliteIndexSettings) else None
        return path or self.site.folder / "index.sqlite"

    @property
    def camera_key_path(self) -> Path:
        """The key of the camera passwords."""
        return self.cameras.key_file or self.site.folder / "keys" / "cameras.key"

    @property
    def webhook_key_path(self) -> Path:
        """The key of the webhooks' secrets."""
        return self.webhooks.key_file or self.site.folder / "keys" / "webhooks.key"

    @property
    def local_key_path(self) -> Path:
        """The key with which commands on this machine ask the API, where `api.token_file` is not set."""
        return self.site.folder / "keys" / "api.key"

    @property
    def internal_key_path(self) -> Path:
        """The key of the routes between processes."""
        return self.internal.key_file or self.site.folder / "keys" / "internal.key"

    @property
    def metrics_key_path(self) -> Path:
        """The key of `/metrics`."""
        return self.metrics.key_file or self.site.folder / "keys" / "metrics.key"

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
    return _with_paths_from(base, settings)


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
        place[last] = text.split(",") if last in _LISTS else text


def _with_paths_from(base: Path, part: M) -> M:
    """The settings with every relative path in them taken from this folder."""
    return part.model_copy(update={name: _placed(base, getattr(part, name)) for name in type(part).model_fields})


def _placed(base: Path, value: Any) -> Any:
    match value:
        case Path():
            return base / value
        case BaseModel():
            return _with_paths_from(base, value)
        case dict():
            return {name: _placed(base, item) for name, item in value.items()}
        case _:
            return value


def _sentences(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"]) or "configuration"
        what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {what}")
    return "\n".join([f"{path or 'configuration'} is not right:", *lines])
