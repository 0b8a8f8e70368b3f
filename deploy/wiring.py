"""Puts adapters behind ports, by the settings: the only place where an adapter is chosen."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cluster_index import open_cluster_index
from deploy.settings import CassandraIndexSettings, FilePool, Pool, S3Pool, Settings
from segments.clock import SystemClock
from segments.errors import StartRefused
from segments.ports import Index, LegalHolds, ObjectStore
from segments.secrets import Sealer, load_sealer, make_secret_file, read_secret_file
from segments.stores.file_objects import FileObjects
from segments.stores.probe import Ability
from segments.stores.s3_client import S3Settings
from segments.stores.sqlite_index import open_sqlite_index

if TYPE_CHECKING:
    from retention.policies import PolicyLimits
    from segments.stores.s3_objects import S3Objects


@dataclass(frozen=True, slots=True)
class Stores:
    """The opened index and pools of a site."""

    index: Index
    pools: Mapping[str, ObjectStore]


@asynccontextmanager
async def open_index(settings: Settings) -> AsyncIterator[Index]:
    """Opens the index alone and closes it again; raises StartRefused if it cannot be opened."""
    index = await _opened_index(settings)
    try:
        yield index
    finally:
        await index.close()


async def _opened_index(settings: Settings) -> Index:
    if isinstance(settings.index, CassandraIndexSettings):
        return await open_cluster_index(settings.index)
    make_folder("index", settings.index_path.parent)
    return await open_sqlite_index(settings.index_path)


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Opens index and pools and closes them again; raises StartRefused if one cannot be opened."""
    async with AsyncExitStack() as stack:
        index = await stack.enter_async_context(open_index(settings))
        yield Stores(index, {name: stack.enter_context(open_pool(name, pool, settings)) for name, pool in settings.pools.items()})


@contextmanager
def open_pool(name: str, pool: Pool, settings: Settings) -> Iterator[ObjectStore]:
    """Opens one pool and closes it again; raises StartRefused if it cannot be opened."""
    store: FileObjects | S3Objects
    if isinstance(pool, FilePool):
        store = FileObjects(pool_folder(name, pool, settings), clock=SystemClock())
    else:
        from segments.stores.s3_objects import S3Objects  # its libraries take a tenth of a second, and many sites have no bucket

        store = S3Objects(s3_settings(pool))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_lock_keepers(settings: Settings, stores: Stores) -> Iterator[Mapping[str, LegalHolds]]:
    """The pools whose settings ask for Object Lock, by name; opened with the key for locks where there is one."""
    with ExitStack() as stack:
        keepers: dict[str, LegalHolds] = {}
        for name, pool in settings.pools.items():
            if isinstance(pool, S3Pool) and Ability.OBJECT_LOCK in pool.needs:
                keepers[name] = stores.pools[name]
                if pool.locks_secret_file is not None:
                    key = {"access_key_id": pool.locks_access_key_id, "secret_file": pool.locks_secret_file}
                    keepers[name] = stack.enter_context(open_pool(name, pool.model_copy(update=key), settings))
        yield keepers


def pool_folder(name: str, pool: FilePool, settings: Settings) -> Path:
    """The folder of a file pool, made if it is missing and refused if it cannot be written to."""
    folder = file_pool_folder(name, pool, settings)
    make_folder(f"pool {name}", folder)
    return folder


def file_pool_folder(name: str, pool: FilePool, settings: Settings) -> Path:
    """Where a file pool lies, there or not."""
    return pool.folder or settings.site.folder / "pools" / name


def make_folder(what: str, folder: Path) -> None:
    """A folder of ours, made if it is missing; raises StartRefused naming `what` if it cannot be, or cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartRefused(f"{what}: {folder} cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StartRefused(f"{what}: {folder} cannot be written to by this user")


def s3_settings(pool: S3Pool) -> S3Settings:
    """The adapter's settings; reads the secret from its file."""
    return S3Settings(
        endpoint=pool.endpoint,
        bucket=pool.bucket,
        region=pool.region,
        access_key_id=pool.access_key_id,
        secret_access_key=read_secret_file(pool.secret_file, what="the secret key of the pool"),
        allow_http=pool.endpoint.startswith("http://"),
        ca_file=pool.ca_file,
    )


def policy_limits(settings: Settings) -> PolicyLimits:
    """What the settings say of policies."""
    from retention.policies import PolicyLimits  # 40 ms that most processes do not need

    return PolicyLimits(settings.retention.notice_days, settings.retention.shortest_floor_days)


def camera_sealer(settings: Settings) -> Sealer:
    """Seals and opens camera passwords; its key is made at the first start where no path was given."""
    return load_sealer(settings.camera_key_path, create=settings.cameras.key_file is None)


def webhook_sealer(settings: Settings) -> Sealer:
    """Seals and opens webhooks' secrets; its key is made at the first start where no path was given."""
    return load_sealer(settings.webhook_key_path, create=settings.webhooks.key_file is None, what="the key of the webhooks' secrets")


def internal_key(settings: Settings) -> str:
    """The key between processes of the site; made at the first start where no path was given."""
    path = settings.internal_key_path
    if settings.internal.key_file is None:
        make_secret_file(path, secrets.token_urlsafe(32))
    return read_secret_file(path, what="the key between the site's processes")


def metrics_key(settings: Settings) -> str:
    """The key of `/metrics`, which opens nothing else; made at the first start where no path was given."""
    path = settings.metrics_key_path
    if settings.metrics.key_file is None:
        make_secret_file(path, secrets.token_urlsafe(32))
    return read_secret_file(path, what="the key of the metrics")


def api_token(settings: Settings) -> str | None:
    """The token that commands of this machine ask the API with; None where access is open, or this user has none of it.

    It is the one of `api.token_file`, else one that the API makes when it starts.
    """
    path = settings.api.token_file
    if path is None and (settings.access.open or not settings.local_key_path.exists()):
        return None
    return read_secret_file(path or settings.local_key_path, what="the token of the API")


def make_local_key(settings: Settings) -> None:
    """Makes the key for this machine's commands at the first start of an API whose access is controlled and has no token of its own."""
    if not settings.access.open and settings.api.token_file is None:
        make_secret_file(settings.local_key_path, secrets.token_urlsafe(32))
