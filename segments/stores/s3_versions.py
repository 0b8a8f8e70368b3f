"""Versions and legal holds of a bucket, through botocore, as obstore knows neither.

S3 calls `null` the version of what was put while the bucket kept none (S3 user guide, "Working with objects in a versioning-suspended
bucket"); the ports call it ''.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

from segments.errors import KeepsightError, NotFound, Refused, TryAgain
from segments.ports import ObjectVersion
from segments.stores.own_thread import in_own_thread
from segments.stores.s3_client import S3Settings, bucket_client
from segments.stores.s3_errors import kind_of_answer

_NO_VERSION = "null"
_UNKNOWN_CALL = {405, 501}
"""How stores answer a call they do not know."""
_GONE = {"NoSuchKey", "NoSuchVersion", "InvalidArgument"}
"""What cannot be there: versitygw calls a version that is not of its own making an invalid argument."""
_NEVER_HELD = {"NoSuchObjectLegalHold", "NoSuchObjectLockConfiguration"}
"""SeaweedFS says the one, S3 and versitygw the other, of a version nobody ever held."""
_NO_LOCKS = "ObjectLockConfigurationNotFoundError"
_TROUBLE = {
    **dict.fromkeys(("EndpointConnectionError", "ConnectTimeoutError", "SSLError"), "the store could not be reached"),
    "ReadTimeoutError": "the store did not answer in time",
}


class BucketVersions:
    """The calls of `Versions` and `LegalHolds` that only a bucket with versions takes. The client is made when it is first needed."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._made: Any = None
        self._making = Lock()
        self._keeps = False
        self._locks = False

    async def kept(self) -> bool:
        """Whether the bucket keeps versions or has ever kept some: one that keeps none any more may have them of old.

        It can begin with it at any time, and never goes back to having none (S3 user guide, "Using versioning"): a yes is remembered.
        """
        if self._keeps:
            return True
        try:
            answer = await self._ask("get_bucket_versioning", "whether there are versions")
        except _Refusal as refusal:
            if refusal.status in _UNKNOWN_CALL:
                return False
            raise refusal.ours() from None
        self._keeps = answer.get("Status") in ("Enabled", "Suspended")
        return self._keeps

    async def listed(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """See `Versions`, of a bucket where they are kept."""
        what = f"list of versions under {prefix!r}"
        page: frozenset[ObjectVersion] = frozenset()
        place: dict[str, str] = {}
        while True:
            answer = await self._answer("list_object_versions", what, Prefix=prefix, **place)
            before, page = page, frozenset(_entries(answer))
            for entry in page - before:  # versitygw begins a page with the last entry of the one before
                yield entry
            if not answer.get("IsTruncated"):
                return
            before_this, place = place, _next_place(answer)
            if place in ({}, before_this):
                raise Refused(f"{what} in bucket {self._settings.bucket}: the store gives the same page again and again")

    async def remove(self, doomed: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """See `Versions`, of a bucket where they are kept. `doomed` is not empty."""
        what = f"delete of {len(doomed)} versions from {doomed[0][0]!r} on"
        objects = [_named(key, version) for key, version in doomed]
        answer = await self._answer("delete_objects", what, Delete={"Objects": objects, "Quiet": True})
        errors = {(error["Key"], our_version(error.get("VersionId"))): error.get("Code", "") for error in answer.get("Errors", [])}
        return {named: code or "refused without a reason" for named, code in errors.items() if code not in _GONE}

    async def hold(self, key: str, version: str, held: bool) -> None:
        """See `LegalHolds`."""
        await self._expect_locks(key)
        status = {"Status": "ON" if held else "OFF"}
        try:
            await self._ask("put_object_legal_hold", f"legal hold of {key!r}", **_named(key, version), LegalHold=status)
        except _Refusal as refusal:
            raise refusal.of_a_version() from None

    async def held(self, key: str, version: str) -> bool:
        """See `LegalHolds`."""
        await self._expect_locks(key)
        try:
            answer = await self._ask("get_object_legal_hold", f"legal hold of {key!r}", **_named(key, version))
        except _Refusal as refusal:
            if refusal.code in _NEVER_HELD:
                return False
            raise refusal.of_a_version() from None
        return bool(answer.get("LegalHold", {}).get("Status") == "ON")

    async def _expect_locks(self, key: str) -> None:
        """Without Object Lock SeaweedFS accepts a hold that holds nothing, and rclone takes it for a put. Once on, it stays on (S3)."""
        if self._locks:
            return
        what = f"legal hold of {key!r}"
        try:
            found = (await self._ask("get_object_lock_configuration", what)).get("ObjectLockConfiguration", {})
        except _Refusal as refusal:
            if refusal.code != _NO_LOCKS and refusal.status not in _UNKNOWN_CALL:
                raise refusal.ours() from None
            found = {}
        if found.get("ObjectLockEnabled") != "Enabled":
            raise Refused(f"{what} in bucket {self._settings.bucket}: it has no locks; use one that was made with Object Lock")
        self._locks = True

    def close(self) -> None:
        """Lets go of connections."""
        if self._made is not None:
            self._made.close()

    async def _answer(self, operation: str, what: str, **values: Any) -> dict[str, Any]:
        try:
            return await self._ask(operation, what, **values)
        except _Refusal as refusal:
            raise refusal.ours() from None

    async def _ask(self, operation: str, what: str, **values: Any) -> dict[str, Any]:
        return await in_own_thread(partial(self._blocking, operation, f"{what} in bucket {self._settings.bucket}", values))

    def _blocking(self, operation: str, what: str, values: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(Bucket=self._settings.bucket, **values)
        except ClientError as error:
            status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"].get("Code", "")
            raise _Refusal(what, status, "" if code == str(status) else code) from None  # botocore's word where the store says none
        except (BotoCoreError, OSError) as error:  # nothing of its text is taken over
            raise TryAgain(f"{what}: {_TROUBLE.get(type(error).__name__, 'the connection broke or the answer made no sense')}") from None
        return answer

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                self._made = bucket_client(self._settings)
            return self._made


class _Refusal(Exception):
    """An answer that is not 2xx."""

    def __init__(self, what: str, status: int, code: str) -> None:
        super().__init__(what)
        self.what = f"{what}: {status} {code}".rstrip()
        self.status = status
        self.code = code

    def ours(self) -> KeepsightError:
        if self.status in _UNKNOWN_CALL:
            return Refused(f"{self.what}: the store does not know this call")
        return kind_of_answer(self.status, self.code)(self.what)

    def of_a_version(self) -> KeepsightError:
        return NotFound(self.what) if self.code in _GONE else self.ours()


def _named(key: str, version: str) -> dict[str, str]:
    return {"Key": key, "VersionId": version or _NO_VERSION}


def our_version(version: str | None) -> str:
    """The version that S3 names, as the ports do."""
    return "" if version in (None, _NO_VERSION) else str(version)


def _entries(answer: Mapping[str, Any]) -> Iterator[ObjectVersion]:
    for entry in (*answer.get("Versions", []), *answer.get("DeleteMarkers", [])):
        yield ObjectVersion(entry["Key"], our_version(entry.get("VersionId")), entry.get("Size", 0))


def _next_place(answer: Mapping[str, Any]) -> dict[str, str]:
    named = {"KeyMarker": answer.get("NextKeyMarker"), "VersionIdMarker": answer.get("NextVersionIdMarker")}
    return {name: value for name, value in named.items() if value}
