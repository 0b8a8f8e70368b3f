"""Objects in a bucket of an S3 store: create-only puts whose SHA-256 the server checks; versions and locks; all else through obstore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from segments.ports import Body, ListedObject, ObjectInfo, ObjectVersion, Page
from segments.stores.object_rules import (
    MAX_KEYS,
    check_delete,
    check_key,
    check_page,
    check_put,
    check_range,
    check_size,
    decode_value,
    encode_value,
    folder_of,
)
from segments.stores.own_thread import in_own_thread
from segments.stores.s3_client import S3Settings, authorities
from segments.stores.s3_errors import code_of, status_of, translate
from segments.stores.s3_put import Putter
from segments.stores.s3_signature import link_query
from segments.stores.s3_versions import BucketVersions, our_version

if TYPE_CHECKING:
    from obstore import OffsetRange
    from obstore.store import S3Credential

PIECE_BYTES = 4 << 20
_CONNECTIONS = 16
"""Kept open for puts; more are made and closed again where more are under way."""
_DELETES_AT_ONCE = 16
_WALKED_LEVELS = 3
"""Of folders (camera, day, run) listed one by one and sorted by us: SeaweedFS lists 'gate/1' before 'gate-2/1', S3 after it.

Below them names have one length (the hours), so that every server's own order is the order of keys.
"""
_NOT_ATTRIBUTES = {
    "sha256",
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "Cache-Control",
    "Storage-Class",
}


class S3Objects:
    """An `ObjectStore` over one bucket.

    One put is one request and one answer: nothing repeats it behind the caller's back, so that Conflict means what it says. Reads are
    repeated twice. Each put has a thread of its own, which does not keep the process from ending while a store hangs.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._putter = Putter(settings, connections=_CONNECTIONS)
        self._versions = BucketVersions(settings)
        self._writes = _connect(settings, total_s=settings.request_timeout_s, retries=0)
        # A whole read may last as long as its reader takes; only silence ends it.
        self._reads = _connect(settings, total_s=24 * 3600, retries=2)

    async def put(self, key: str, body: Body, *, sha256: str, attributes: Mapping[str, str]) -> str:
        """See `PutObject`. Always a single request, as only that is create-only; the store hashes what it is sent, not we."""
        kept = check_put(key, sha256, attributes)
        check_size(key, body)
        metadata = {"sha256": sha256, **{name: encode_value(value) for name, value in kept.items()}}
        content_type = "video/mp4" if key.endswith(".mp4") else "application/octet-stream"
        put = partial(self._putter.put, key, body, sha256=sha256, metadata=metadata, content_type=content_type)
        return our_version(await in_own_thread(put))

    async def head(self, key: str) -> ObjectInfo:
        """See `ReadObject`."""
        check_key(key)
        with self._ours(f"head of {key!r}"):
            async with asyncio.timeout(self._settings.request_timeout_s):
                answer = await obstore.get_async(self._reads, key, options={"head": True})
        found, meta = answer.attributes, answer.meta
        attributes = {name: decode_value(value) for name, value in found.items() if name not in _NOT_ATTRIBUTES}
        return ObjectInfo(key, meta["size"], our_version(meta["version"]), found.get("sha256", ""), attributes)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See `ReadObject`."""
        return b"".join([piece async for piece in self.stream(key, start, end)])

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See `ReadObject`."""
        check_key(key)
        check_range(start, end)
        if end is not None and end <= start:
            await self.head(key)  # S3 cannot be asked for an empty range
            return
        with self._ours(f"get of {key!r}"):
            try:
                answer = await obstore.get_async(
                    self._reads, key, options={} if (start, end) == (0, None) else {"range": _range(start, end)}
                )
            except BaseError as error:
                if status_of(error) == 416:  # RFC 9110, 15.5.17: the range begins at or past the end
                    return
                raise
            async for piece in answer.stream(min_chunk_size=PIECE_BYTES):
                yield bytes(piece)

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Page[ListedObject, str]:
        """See `ListObjects`. Each page reads the names at its first levels (`_WALKED_LEVELS`) whole."""
        check_page(after, limit)
        folder = folder_of(prefix)
        items: list[ListedObject] = []
        if folder is None:
            return Page(items, None)
        with self._ours(f"list of {prefix!r}"):
            async with asyncio.timeout(self._settings.request_timeout_s):
                async for entry in self._walk(f"{folder}/" if folder else "", prefix, after):
                    items.append(entry)
                    if len(items) == limit:
                        break
        return Page(items, items[-1].key if len(items) == limit else None)

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `DeleteObjects`. One request; where the store refuses a key, obstore names only the first, so each is then asked alone."""
        check_delete(keys)
        if not keys or await self._delete(keys) == "":
            return {}
        at_once = asyncio.Semaphore(_DELETES_AT_ONCE)

        async def alone(key: str) -> tuple[str, str]:
            async with at_once:
                return key, await self._delete([key])

        return {key: reason for key, reason in await asyncio.gather(*map(alone, keys)) if reason}

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`. A bucket that never kept any has only its objects, which are listed as `list` does."""
        if await self._versions.kept():
            async for entry in self._versions.listed(prefix):
                yield entry
            return
        after: str | None = ""
        while after is not None:
            page = await self.list(prefix, after=after)
            for key, size in page.items:
                yield ObjectVersion(key, "", size)
            after = page.next

    async def delete_versions(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`. A bucket that never kept any is not told of versions: SeaweedFS would remove the object, whatever its version."""
        check_delete([key for key, _ in doomed])
        if not doomed:
            return {}
        if await self._versions.kept():
            return await self._versions.remove(doomed)
        refused = await self.delete([key for key, version in doomed if not version])
        return {(key, ""): reason for key, reason in refused.items()}

    async def set_legal_hold(self, key: str, version: str, held: bool) -> None:
        """See `LegalHolds`."""
        check_key(key)
        await self._versions.hold(key, version, held)

    async def legal_hold(self, key: str, version: str) -> bool:
        """See `LegalHolds`."""
        check_key(key)
        return await self._versions.held(key, version)

    async def link(self, key: str, version: str, seconds: int, range_header: str | None = None) -> str | None:  # noqa: ARG002 - reads are of the newest, too
        """See `SignLinks`. Signed here; the store is not asked."""
        check_key(key)
        address = urlsplit(self._settings.endpoint)
        path = f"{address.path.rstrip('/')}/{self._settings.bucket}/{quote(key, safe='/~')}"
        headers = {"host": address.netloc} | ({"range": range_header} if range_header else {})
        query = link_query(self._settings, path, headers, seconds=seconds, now=datetime.now(UTC))
        return f"{address.scheme}://{address.netloc}{path}?{query}"

    async def _walk(self, folder: str, prefix: str, after: str) -> AsyncIterator[ListedObject]:
        """Objects in order of key on any server; `folder` is '' or ends with '/'."""
        if folder.count("/") >= _WALKED_LEVELS:
            async for entry in _flat(self._reads, folder, after):
                if entry.key > after and entry.key.startswith(prefix):
                    yield entry
            return
        level = await obstore.list_with_delimiter_async(self._reads, folder or None)
        # A marker others made of a folder ('a/', empty) comes as an object 'a' inside of it, here as in `_flat`.
        sizes = {entry["path"]: entry["size"] for entry in level["objects"] if entry["path"].startswith(folder)}
        for key in sorted([*sizes, *(name.rstrip("/") + "/" for name in level["common_prefixes"])]):
            if key in sizes and key > after and key.startswith(prefix):
                yield ListedObject(key, sizes[key])
            elif key.endswith("/") and (key > after or after.startswith(key)) and (key.startswith(prefix) or prefix.startswith(key)):
                async for entry in self._walk(key, prefix, after):
                    yield entry

    async def _delete(self, keys: Sequence[str]) -> str:
        """Removes keys; returns the reason if the store answered that it refuses one of them."""
        with self._ours(f"delete of {len(keys)} objects from {keys[0]!r} on"):
            try:
                await obstore.delete_async(self._writes, list(keys))
            except BaseError as error:
                if "DeleteObjects request failed for key" not in str(error):
                    raise
                return code_of(error) or "refused without a reason"
        return ""

    def close(self) -> None:
        """Lets go of connections."""
        self._putter.close()
        self._versions.close()

    @contextmanager
    def _ours(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise translate(error, f"{what} in bucket {self._settings.bucket}") from None


def _connect(settings: S3Settings, *, total_s: float, retries: int) -> S3Store:
    """A client that takes nothing from the environment that is named in the settings."""

    def credential() -> S3Credential:
        return {"access_key_id": settings.access_key_id, "secret_access_key": settings.secret_access_key, "expires_at": None}

    roots = authorities(settings)
    return S3Store(
        settings.bucket,
        endpoint=settings.endpoint,
        aws_endpoint_url_s3=settings.endpoint,
        region=settings.region,
        virtual_hosted_style_request=False,
        checksum_algorithm="SHA256",
        conditional_put="etag",
        unsigned_payload=False,
        skip_signature=False,
        credential_provider=credential,
        client_options={
            "allow_http": settings.allow_http,
            "connect_timeout": timedelta(seconds=settings.connect_timeout_s),
            "read_timeout": timedelta(seconds=settings.request_timeout_s),
            "timeout": timedelta(seconds=total_s),
            **({} if roots is None else {"root_certificate": roots}),
        },
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=settings.request_timeout_s)},
    )


def _range(start: int, end: int | None) -> OffsetRange | tuple[int, int]:
    return {"offset": start} if end is None else (start, end)


async def _flat(store: S3Store, folder: str, after: str) -> AsyncIterator[ListedObject]:
    # SeaweedFS leaves out what lies under a folder whose very name it is to start after, so it is not asked to.
    offset = after if after.startswith(folder) and "/" in after[len(folder) :] else None
    async for batch in obstore.list(store, folder, offset=offset, chunk_size=MAX_KEYS):
        for entry in batch:
            if entry["path"].startswith(folder):
                yield ListedObject(entry["path"], entry["size"])
