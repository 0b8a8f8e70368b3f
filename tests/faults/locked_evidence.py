"""Attacks on a held version: who tries (roles), by what (verbs), and whether its bytes are still there, read with the owner's key.

Only what goes through S3 is tried. Who may log in to the store's machines, or use its own tools (`weed shell`, the gateway's folder), may
remove anything; against them there are the other site and the rights of those machines.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from segments.stores.s3_client import S3Settings, bucket_client
from segments.stores.s3_objects import S3Objects
from tests.servers.s3 import ACCESS_KEY, READ_ONLY, SECRET_KEY, S3Server
from tests.servers.seaweedfs import SeaweedFs
from tests.servers.versitygw import VersityGw

SERVICE = ("keepsight-service", "canary-secret-of-the-service")
KEEPER = ("keepsight-keeper", "canary-secret-of-the-keeper")


class Role(Enum):
    """Who has which key."""

    SERVICE = "our service and its administrator"
    """Reads, writes, deletes, versions too; may not lift holds."""
    KEEPER = "the keeper of holds"
    """Sets and lifts them and reads; deletes nothing."""
    READER = "a reader"
    OWNER = "the bucket's owner"
    """May do everything that S3 knows."""


class Guard(Enum):
    """What protects the evidence."""

    HOLD = "a legal hold"
    HOLD_AND_RETENTION = "a legal hold and a retention in compliance mode"
    """The bucket's default retention, written on the version: by the store as S3 does, or by us where it only looks at the bucket."""
    NOTHING = "nothing: a bucket without versions and locks"


WEED_RIGHTS = {
    SERVICE: ["Read", "Write", "List"],
    KEEPER: ["Read", "List", "PutObjectLegalHold", "GetObjectLegalHold", "GetBucketObjectLockConfiguration"],
}
_READS = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"]
_WRITES = ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:GetBucketVersioning"]
_HOLDS = ["s3:PutObjectLegalHold", "s3:GetObjectLegalHold", "s3:GetBucketObjectLockConfiguration"]
POLICY_RIGHTS = {SERVICE: [*_READS, *_WRITES], KEEPER: [*_READS, *_HOLDS], READ_ONLY: _READS}


def weed_with_roles(folder: Path) -> SeaweedFs:
    """SeaweedFS with the roles' users."""
    return SeaweedFs(folder, more_users=[(*login, rights) for login, rights in WEED_RIGHTS.items()])


def versitygw_with_roles(folder: Path) -> VersityGw:
    """versitygw with the roles' users; their rights come with the bucket."""
    return VersityGw(folder, more_users=[SERVICE, KEEPER])


@dataclass(frozen=True, slots=True)
class Evidence:
    """A version that must not go. In a bucket without versions `version` is ''."""

    bucket: str
    key: str
    version: str
    sha256: str

    @property
    def named(self) -> dict[str, str]:
        """Bucket, key and version, as S3's calls want them."""
        return {"Bucket": self.bucket, "Key": self.key} | ({"VersionId": self.version} if self.version else {})

    @property
    def over(self) -> dict[str, str]:
        """The key alone, for what writes over it."""
        return {"Bucket": self.bucket, "Key": self.key}


class Keys:
    """A client for each role; any bucket."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        logins = {Role.SERVICE: SERVICE, Role.KEEPER: KEEPER, Role.READER: READ_ONLY, Role.OWNER: (ACCESS_KEY, SECRET_KEY)}
        self._logins = logins
        self.clients = {role: bucket_client(self.settings(role, "any")) for role in logins}

    def settings(self, role: Role, bucket: str) -> S3Settings:
        """How a role reaches a bucket."""
        key, secret = self._logins[role]
        return replace(self.server.settings(bucket), access_key_id=key, secret_access_key=secret)

    def close(self) -> None:
        """Lets go of connections."""
        for client in self.clients.values():
            client.close()


class Scene:
    """A bucket with its guard."""

    def __init__(self, keys: Keys, guard: Guard) -> None:
        self.server = server = keys.server
        self.clients = keys.clients
        self.guard = guard
        self.bucket = server.make_bucket(locks=guard is not Guard.NOTHING)
        self._stores = {role: S3Objects(keys.settings(role, self.bucket)) for role in (Role.SERVICE, Role.KEEPER)}
        self.restore()

    async def lay(self, name: str) -> Evidence:
        """Puts evidence with the service's key and holds it with the keeper's, through our adapter."""
        data = f"what happened at {name}".encode()
        key, digest = f"evidence/{name}", sha256(data).hexdigest()
        version = await self._stores[Role.SERVICE].put(key, data, sha256=digest, attributes={})
        if self.guard is not Guard.NOTHING:
            await self._stores[Role.KEEPER].set_legal_hold(key, version, held=True)
        evidence = Evidence(self.bucket, key, version, digest)
        if self.guard is Guard.HOLD_AND_RETENTION and not self.shows_retention(evidence):
            retention = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
            self.server.client.put_object_retention(**evidence.named, Retention=retention)
        return evidence

    def shows_retention(self, evidence: Evidence) -> bool:
        """Whether the retention is written on the version; versitygw does not do that with a bucket's default."""
        return self.server.client.head_object(**evidence.named).get("ObjectLockMode") == "COMPLIANCE"

    def survives(self, evidence: Evidence) -> bool:
        """Whether the version is there bit for bit, as its owner reads it."""
        try:
            data = self.server.client.get_object(**evidence.named)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket"):
                raise
            return False
        return sha256(data).hexdigest() == evidence.sha256

    def retain_by_default(self) -> None:
        """Gives the bucket a default retention."""
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
        self.server.client.put_object_lock_configuration(Bucket=self.bucket, ObjectLockConfiguration=rule)

    def restore(self) -> None:
        """Gives the bucket its rights and rules again, after an attack that changes them."""
        client = self.server.client
        _try(client.delete_bucket_lifecycle, Bucket=self.bucket)
        if self.guard is Guard.HOLD_AND_RETENTION:
            self.retain_by_default()
        if self.server.name == "versitygw":
            client.put_bucket_policy(Bucket=self.bucket, Policy=_policy(self.bucket, POLICY_RIGHTS.items()))
        else:
            _try(client.delete_bucket_policy, Bucket=self.bucket)

    def close(self) -> None:
        """Lets go of connections."""
        for store in self._stores.values():
            store.close()


def _policy(bucket: str, rights: Iterable[tuple[tuple[str, str], list[str]]]) -> str:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statements = [{"Effect": "Allow", "Principal": [key], "Action": actions, "Resource": resources} for (key, _), actions in rights]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _try(call: Callable[..., Any], **values: Any) -> Any:
    """A refusal is an answer; no answer at all is an error."""
    with contextlib.suppress(ClientError):
        return call(**values)


Verb = Callable[[Any, Evidence], object]
"""What is tried with a client against a piece of evidence."""


def delete_key(client: Any, evidence: Evidence) -> None:
    """The newest version, which S3 answers with a mark."""
    _try(client.delete_object, **evidence.over)


def delete_version(client: Any, evidence: Evidence) -> None:
    """The version itself."""
    _try(client.delete_object, **evidence.named)


def bypass_governance(client: Any, evidence: Evidence) -> None:
    """The version, with the header that passes over a retention in governance mode."""
    _try(client.delete_object, **evidence.named, BypassGovernanceRetention=True)


def delete_many(client: Any, evidence: Evidence) -> None:
    """Key and version in bulk, with that header too."""
    keys = [{"Key": evidence.key}, {name: value for name, value in evidence.named.items() if name != "Bucket"}]
    for key in keys:
        _try(client.delete_objects, Bucket=evidence.bucket, Delete={"Objects": [key]})
        _try(client.delete_objects, Bucket=evidence.bucket, Delete={"Objects": [key]}, BypassGovernanceRetention=True)


def overwrite(client: Any, evidence: Evidence) -> None:
    """A put of other bytes, without a hold where that may be said."""
    _try(client.put_object, **evidence.over, Body=b"nothing happened")
    _try(client.put_object, **evidence.over, Body=b"nothing happened", ObjectLockLegalHoldStatus="OFF")


def replace_deleted(client: Any, evidence: Evidence) -> None:
    """A create-only put where the key seems to be free after a delete."""
    delete_key(client, evidence)
    _try(client.put_object, **evidence.over, Body=b"nothing happened", IfNoneMatch="*")


def copy_over(client: Any, evidence: Evidence) -> None:
    """A copy of another object, and of itself with other attributes."""
    other = f"{evidence.key}-other"
    _try(client.put_object, Bucket=evidence.bucket, Key=other, Body=b"nothing happened")
    _try(client.copy_object, **evidence.over, CopySource={"Bucket": evidence.bucket, "Key": evidence.key}, MetadataDirective="REPLACE")
    _try(client.copy_object, **evidence.over, CopySource={"Bucket": evidence.bucket, "Key": other})


def upload_over(client: Any, evidence: Evidence) -> None:
    """An upload in parts."""
    begun = _try(client.create_multipart_upload, **evidence.over)
    if begun:
        upload = {**evidence.over, "UploadId": begun["UploadId"]}
        part = _try(client.upload_part, **upload, PartNumber=1, Body=b"nothing happened")
        if part:
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            _try(client.complete_multipart_upload, **upload, MultipartUpload=parts)


def lift_hold(client: Any, evidence: Evidence) -> None:
    """The hold is lifted, then the version deleted."""
    _try(client.put_object_legal_hold, **evidence.named, LegalHold={"Status": "OFF"})
    bypass_governance(client, evidence)


def shorten_retention(client: Any, evidence: Evidence) -> None:
    """A retention of a moment, in both modes, and none; then the version is deleted."""
    soon = datetime.now(UTC) + timedelta(seconds=1)
    for retention in ({"Mode": "GOVERNANCE", "RetainUntilDate": soon}, {"Mode": "COMPLIANCE", "RetainUntilDate": soon}, {}):
        _try(client.put_object_retention, **evidence.named, Retention=retention, BypassGovernanceRetention=True)
    bypass_governance(client, evidence)


def suspend_versions(client: Any, evidence: Evidence) -> None:
    """No versions any more, then a put over it and a delete."""
    _try(client.put_bucket_versioning, Bucket=evidence.bucket, VersioningConfiguration={"Status": "Suspended"})
    overwrite(client, evidence)
    delete_key(client, evidence)


def unlock_bucket(client: Any, evidence: Evidence) -> None:
    """The bucket's locks are configured away, then the version deleted."""
    for configuration in ({}, {"ObjectLockEnabled": "Enabled"}):
        _try(client.put_object_lock_configuration, Bucket=evidence.bucket, ObjectLockConfiguration=configuration)
    delete_version(client, evidence)


def open_to_all(client: Any, evidence: Evidence) -> None:
    """A policy that allows everybody everything but lifting holds, then the version is deleted."""
    everything = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObject"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": everything, "Resource": [f"arn:aws:s3:::{evidence.bucket}/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    _try(client.put_bucket_policy, Bucket=evidence.bucket, Policy=policy)
    bypass_governance(client, evidence)


def delete_bucket(client: Any, evidence: Evidence) -> None:
    """The bucket with all that is in it."""
    _try(client.delete_bucket, Bucket=evidence.bucket)


def expire(client: Any, evidence: Evidence) -> None:
    """A lifecycle rule by which everything has expired long ago. It acts when the store's next round comes."""
    rule = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)}}
    _try(client.put_bucket_lifecycle_configuration, Bucket=evidence.bucket, LifecycleConfiguration={"Rules": [rule]})


ON_ONE: tuple[Verb, ...] = (
    delete_key,
    delete_version,
    bypass_governance,
    delete_many,
    overwrite,
    replace_deleted,
    copy_over,
    upload_over,
    lift_hold,
    shorten_retention,
    suspend_versions,
    unlock_bucket,
    open_to_all,
)
"""Verbs against one piece of evidence."""
ON_ALL: tuple[Verb, ...] = (expire, delete_bucket)
"""Verbs against all that a bucket has."""
UNSETTLING = {suspend_versions, unlock_bucket, open_to_all, expire}
"""Verbs after which a bucket may have other rules."""
