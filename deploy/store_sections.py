"""The sections of the configuration that say where the index and the footage are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from deploy.sections import Section
from segments.pools import PoolState
from segments.stores.probe import Ability


class SqliteIndexSettings(Section):
    """The embedded time index: a file, for one machine."""

    kind: Literal["sqlite"] = "sqlite"
    path: Path | None = None


class CassandraIndexSettings(Section):
    """The time index in Cassandra 5. All clients of a site name one local data centre: only it grants leases."""

    kind: Literal["cassandra"]
    hosts: tuple[str, ...] = Field(min_length=1)
    port: int = Field(9042, ge=1, le=65535)
    datacenter: str
    keyspace: str = Field("keepsight", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    replication: dict[str, Annotated[int, Field(ge=1, le=7)]] = Field(default_factory=dict)
    """Copies by data centre, for `keepsight schema apply` to make the keyspace with; empty: one copy in `datacenter`."""
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    """The authority that signed the servers' certificates; given, connections are by TLS."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """A certificate of our own and its key, where the servers ask for one."""


class PoolSection(Section):
    """What all pools have."""

    size_bytes: int | None = Field(None, ge=1)
    """How much it holds, as its operator says; none: not known."""
    state: PoolState = PoolState.OPEN


class FilePool(PoolSection):
    """A pool that is a folder."""

    kind: Literal["files"] = "files"
    folder: Path | None = None


class S3Pool(PoolSection):
    """A pool that is a bucket of an S3-compatible store."""

    kind: Literal["s3"]
    endpoint: str
    bucket: str
    region: str = "us-east-1"
    access_key_id: str
    secret_file: Path
    """A file, readable by its owner only, holding the secret access key."""
    locks_access_key_id: str = ""
    locks_secret_file: Path | None = None
    """Another key, which alone may set and lift legal holds and is used for nothing else; none: the pool's own."""
    ca_file: Path | None = None
    """The authority that signed the store's certificate; none: those the system trusts."""
    needs: tuple[Ability, ...] = ()
    """What the store must be able to beside what every pool needs."""
    minio_admin: bool = False
    """Whether the store answers MinIO's admin API, for `keepsight pools` to show its own figure beside ours."""

    @model_validator(mode="after")
    def _locks_key_is_whole(self) -> S3Pool:
        if bool(self.locks_access_key_id) != (self.locks_secret_file is not None):
            raise ValueError("locks_access_key_id and locks_secret_file belong together: set both, or none")
        return self


PoolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Pool = Annotated[FilePool | S3Pool, Field(discriminator="kind")]


def _weights(value: Any) -> Any:
    """A name, or a list of names, in place of a table of weights."""
    names = [value] if isinstance(value, str) else value
    return dict.fromkeys(names, 1.0) if isinstance(names, list) else value


class PoolRuleSection(Section):
    """Cameras of an area (and those below it), a class and an owner go to these pools; what is left out fits all."""

    area: str = ""
    camera_class: int | None = Field(None, ge=1, le=3)
    owner: str = ""
    pools: Annotated[dict[PoolName, Annotated[float, Field(gt=0, le=1e6)]], BeforeValidator(_weights), Field(min_length=1)]
    """A name, a list of names, or names with weights: `{ east = 2, west = 1 }`."""


def _index_kind(value: Any) -> str:
    return str(value.get("kind", "sqlite") if isinstance(value, dict) else value.kind)


IndexSettings = Annotated[
    Annotated[SqliteIndexSettings, Tag("sqlite")] | Annotated[CassandraIndexSettings, Tag("cassandra")],
    Discriminator(_index_kind),
]
