"""The sections of the configuration that say who and where we are, what we serve, and how footage is recorded."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.logs import LogFormat

GIB = 1 << 30


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name or address; other names than `localhost` are not looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Section(BaseModel):
    """One section; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def base_url(host: str, port: int, *, tls: bool = False) -> str:
    """The address a service listens on, as its neighbours write it."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
    name = everywhere.get(host, host)
    return f"{'https' if tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


class SiteSettings(Section):
    """Who we are. The name is part of every run's id and never changes once footage exists."""

    name: str = Field("home", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]{0,31}$")
    folder: Path = Path("keepsight-data")
    """Where everything lies that has no path of its own: spool, pool, index, keys."""


class NodeSettings(Section):
    """Which machine this is: the name of its place among the site's. Unique in the site, and the same after a restart."""

    name: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")
    """Empty: `local` for the local fleet, the host's name for the Ray fleet."""


class SpoolSettings(Section):
    """Where footage becomes durable first: a folder on the recorder's own disk."""

    folder: Path | None = None
    max_bytes: int = Field(20 * GIB, ge=16 << 20)
    min_free_bytes: int = Field(GIB, ge=0)


class ApiSettings(Section):
    """The API and the page for users."""

    host: str = "127.0.0.1"
    port: int = Field(8480, ge=1, le=65535)
    token_file: Path | None = None
    certificate_file: Path | None = None
    """The certificate, and those it is signed by, to serve by TLS; not needed behind a proxy that does."""
    key_file: Path | None = None

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> ApiSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: set both, or none")
        return self


class InternalSettings(Section):
    """Routes between processes of the site: their own port and key."""

    host: str = "127.0.0.1"
    port: int = Field(8481, ge=1, le=65535)
    key_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    ca_file: Path | None = None
    """The authority that signed the certificates of all nodes of the site."""
    advertise: str = Field("", pattern=r"^(https?://[^\s/@]+)?$")
    """The address other nodes ask these routes at, as `https://10.0.0.21:8481`; empty: `host` and `port`."""
    plain: bool = False
    """Whether to do without TLS although other machines may listen: for a network that is closed otherwise."""

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> InternalSettings:
        if len({file is None for file in (self.certificate_file, self.certificate_key_file, self.ca_file)}) > 1:
            raise ValueError("certificate_file, certificate_key_file and ca_file belong together: set all three, or none")
        return self


class ConsumerLimitsSettings(Section):
    """What one consumer (a person, or a key of a platform) may ask for, unless a quota of its own is set; 0: no limit."""

    requests_per_s: float = Field(100.0, ge=0, le=1e6)
    streams: int = Field(32, ge=0, le=1_000_000)
    bytes_per_s: int = Field(125_000_000, ge=0)
    export_hours_per_day: float = Field(240.0, ge=0, le=1e6)
    timeline_days_per_minute: float = Field(4000.0, ge=0, le=1e9)


class LimitsSettings(Section):
    """What one process of the API does at once; what is over that is answered with 429."""

    requests: int = Field(256, ge=1, le=100_000)
    requests_per_client: int = Field(64, ge=1, le=100_000)
    costly: int = Field(4, ge=1, le=1000)
    """Playlists, timelines and snapshots that are worked on."""
    costly_per_client: int = Field(16, ge=1, le=1000)
    """Those that are worked on or wait for it."""
    plans: int = Field(2, ge=1, le=100)
    """Questions of planners that are worked on, each in a process of its own."""
    plan_s: float = Field(60.0, ge=1, le=3600)
    """How long one of them is."""
    consumer: ConsumerLimitsSettings = ConsumerLimitsSettings()


class PlaybackSettings(Section):
    """How footage reaches players."""

    delivery: Literal["proxied", "links"] = "proxied"
    """Through this service, or by redirects to the pools that have links; a request may choose the other way."""
    no_links_pools: tuple[str, ...] = ()
    """Pools that no player is sent to."""
    no_links_tiers: tuple[str, ...] = ()
    """Footage of cameras of these tiers is always sent by this service."""
    link_s: int = Field(300, ge=1, le=300)
    """How soon a link of our own has to be opened, at most."""
    link_keys_file: Path | None = None
    """One key a line, the newest first, the same for all processes of the site; none: made of the key between its processes."""


class FleetSettings(Section):
    """Who records. The local fleet is processes of this machine; the Ray fleet has such processes on every node of a Ray cluster."""

    kind: Literal["local", "ray"] = "local"
    address: str = "auto"
    """Of the Ray cluster; `auto`: the one this machine belongs to."""
    recorders: int = Field(1, ge=1, le=64)
    """Recorder processes a node."""
    cameras_per_recorder: int = Field(256, ge=1, le=2000)
    shards: int | None = Field(None, ge=1, le=10_000)
    """Into how many shards the site's cameras are divided; none: as many as `recorders`, for a fleet of one node."""
    lease_s: float | None = Field(None, ge=1.0, le=300.0)
    """None: 15 for the local fleet, 2.5 for the Ray fleet."""


class ClockSettings(Section):
    """What is asked of the machine's clock."""

    require_sync: bool | None = None
    """Whether to refuse to start while the clock is not synchronised; none: yes for the Ray fleet."""


class LogsSettings(Section):
    """How the programs log."""

    format: LogFormat = LogFormat.TEXT
    """Lines for people, or one JSON object a line for programs."""


class MetricsSettings(Section):
    """What Prometheus shows to read `/metrics`."""

    key_file: Path | None = None


class RecordingSettings(Section):
    """How footage is cut."""

    segment_s: int = Field(60, ge=2, le=300)
    silence_s: float = Field(10.0, ge=1.0, le=300.0)
    """Without media for so long a camera counts as silent and is opened anew."""


class CameraSettings(Section):
    """Where cameras may be, and the key their passwords are sealed with."""

    networks: tuple[IPv4Network | IPv6Network, ...] = (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("fc00::/7"),
    )
    allow_loopback: bool = False
    key_file: Path | None = None


class WebhookSettings(Section):
    """What other platforms' addresses may be, that are told of events, and the key their secrets are sealed with."""

    key_file: Path | None = None
    http: bool = False
    """Whether addresses may be without TLS."""
    loopback: bool = False
    """Whether addresses may lie on this very machine, also without TLS."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """The networks addresses may lie in; none: all."""
    look_back_s: int = Field(7200, ge=300, le=86_400)
    """Footage that is stored so late is still told."""


class RetentionSettings(Section):
    """What the commit needs to know of retention: no footage is deleted before it is so old."""

    shortest_floor_days: int = Field(30, ge=1)
    notice_days: int = Field(7, ge=0, le=3650)
    """Between the announcement of what shortens retention and the moment it binds."""
    grace_s: int = Field(3600, ge=120, le=7 * 86_400)
    """Between unpublishing rows and deleting their objects: longer than any commit under way, and than any link lives."""
    sweep_objects_per_s: int = Field(500, ge=1, le=100_000)
    """How many objects each shard of the sweep deletes at most; with it a sweep leaves stores time for recording."""
    sweep_shards: int | None = Field(None, ge=1, le=64)
    """Into how many shards the sweep is divided; none: 1 for the local fleet, 8 for the Ray fleet."""
    high_mark: float = Field(0.95, gt=0, le=1)
    low_mark: float = Field(0.90, gt=0, le=1)
    """A pool fuller than `high_mark` is under pressure, until it is down to `low_mark`."""

    @model_validator(mode="after")
    def _marks_are_in_order(self) -> RetentionSettings:
        if self.low_mark >= self.high_mark:
            raise ValueError("low_mark has to be below high_mark")
        return self
