"""Whether a bucket's locks really lock: retention in both modes and legal hold, against single and bulk deletes.

A refusal is never told by its code (403 on AWS, 400 on MinIO), but by looking whether the version is still there.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from segments.errors import Refused
from segments.stores.probe import Missing, expect
from segments.stores.s3_trial import Bucket

_COMPLIANCE = timedelta(seconds=5)
_GOVERNANCE = timedelta(minutes=1)


def try_locks(bucket: Bucket) -> str:
    """Says what was seen, or raises Missing. Blocks for some seconds: nobody can shorten a retention in compliance mode."""
    default = _default_retention(bucket)
    now = bucket.now()
    ends = now + _COMPLIANCE
    soft: dict[str, Any] = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": now + _GOVERNANCE}
    versions = {
        "governance": bucket.put("governance", **soft),
        "compliance": bucket.put("compliance", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=ends),
        "hold": bucket.put("hold", ObjectLockLegalHoldStatus="ON", **soft),  # in place of a default retention, which might last
    }
    try:
        _expect_kept(bucket, versions)
        _expect_not_shortened(bucket, versions["compliance"], now, ends)
    finally:
        time.sleep(max(0.0, (ends - bucket.now()).total_seconds()) + 1.1)  # the store's clock tells whole seconds
    _expect_free_again(bucket, versions)
    return "retention and legal hold refused every delete" + _shown(bucket, default)


def _default_retention(bucket: Bucket) -> dict[str, Any]:
    try:
        configuration = bucket.ask("get_object_lock_configuration")["ObjectLockConfiguration"]
    except Refused:
        raise Missing("the bucket was made without Object Lock") from None
    expect(configuration.get("ObjectLockEnabled") == "Enabled", "the bucket was made without Object Lock")
    default: dict[str, Any] = configuration.get("Rule", {}).get("DefaultRetention", {})
    return default


def _expect_kept(bucket: Bucket, versions: dict[str, str]) -> None:
    bypass = {"hold": {"BypassGovernanceRetention": True}}  # what keeps it is the hold alone
    for name, version in versions.items():
        bucket.takes("delete_object", Key=bucket.key(name), VersionId=version, **bypass.get(name, {}))
        expect(bucket.read(name, version) is not None, f"a version under {name} was deleted")
    objects = [{"Key": bucket.key(name), "VersionId": version} for name, version in versions.items()]
    errors = bucket.ask("delete_objects", Delete={"Objects": objects}).get("Errors", [])
    for name, version in versions.items():
        expect(bucket.read(name, version) is not None, f"a version under {name} was deleted by a bulk delete")
    refused = {(error["Key"], error.get("VersionId", "")) for error in errors}
    expect(refused == {(each["Key"], each["VersionId"]) for each in objects}, "a bulk delete does not name what it left")


def _expect_not_shortened(bucket: Bucket, version: str, now: datetime, ends: datetime) -> None:
    key = bucket.key("compliance")
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": now + timedelta(seconds=1)}
    bucket.takes("put_object_retention", Key=key, VersionId=version, Retention=shorter)
    there = bucket.ask("get_object_retention", Key=key, VersionId=version)["Retention"]
    lasts = there["Mode"] == "COMPLIANCE" and there["RetainUntilDate"] >= ends.replace(microsecond=0)
    expect(lasts, "a retention in compliance mode was shortened")


def _expect_free_again(bucket: Bucket, versions: dict[str, str]) -> None:
    """A store that refuses every delete keeps nothing on purpose."""
    bucket.ask("put_object_legal_hold", Key=bucket.key("hold"), VersionId=versions["hold"], LegalHold={"Status": "OFF"})
    for name in ("governance", "compliance", "hold"):
        bucket.takes("delete_object", Key=bucket.key(name), VersionId=versions[name], BypassGovernanceRetention=True)
        expect(bucket.read(name, versions[name]) is None, f"a version cannot be deleted after its {name} has ended")


def _shown(bucket: Bucket, default: dict[str, Any]) -> str:
    """Whether objects tell the retention that the bucket gives them by default, where it does."""
    if not default:
        return ""
    version = bucket.put("default")
    head = bucket.ask("head_object", Key=bucket.key("default"), VersionId=version)
    how = "shown" if head.get("ObjectLockMode") == default["Mode"] else "not shown"
    return f"; the bucket's default retention is {how} at objects"
