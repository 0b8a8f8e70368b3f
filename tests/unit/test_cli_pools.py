"""`keepsight pools`: what pools hold and take, what is wrong with one, the counting anew, and what MinIO itself says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.cli_frame import out
from deploy.settings import load_settings
from deploy.wiring import open_stores
from segments.clock import day_of
from segments.errors import Refused, TryAgain
from segments.ports import Index
from segments.stores.minio_admin import BucketFill, bucket_fill
from segments.stores.s3_client import S3Settings
from tests.builders import NOON_US, a_camera, a_row
from tests.command_line import Keepsight, answering
from tests.servers.processes import free_port

POOLS = """
[pools]
main = {{ kind = "files", size_bytes = 1000 }}
old = {{ kind = "files", state = "drained" }}
{more}
"""
DAY = str(day_of(NOON_US))


@pytest.fixture
def keepsight(tmp_path: Path) -> Keepsight:
    made = Keepsight(tmp_path)
    made.configure(POOLS.format(more=""))
    return made


def indexed(keepsight: Keepsight, work: Callable[[Index], Awaitable[object]]) -> None:
    """Does work on the index."""

    async def whole() -> None:
        async with open_stores(load_settings(keepsight.config, {})) as stores:
            await work(stores.index)

    asyncio.run(whole())


def lines(keepsight: Keepsight, code: int = 0) -> dict[str, dict[str, Any]]:
    """What is told of each pool."""
    return {line["name"]: line for line in keepsight.json("pools", code=code)["pools"]}


async def _rows(index: Index) -> None:
    for counter, pool in enumerate(["main", "main", "old", "gone"]):
        await index.publish(a_row(counter=counter, pool=pool, size=100))


def test_pools_tell_what_they_hold_once_counted(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing before the count; then bytes, days and cameras of each, a pool that footage lies in and nobody configured included."""
    indexed(keepsight, _rows)
    assert [line["stored_bytes"] for line in lines(keepsight).values()] == [0, 0]
    assert "1 camera-days counted" in keepsight("pools", "count").stdout

    found = lines(keepsight, code=1)
    assert {name: (line["stored_bytes"], line["segments"], line["cameras"]) for name, line in found.items()} == {
        "main": (200, 2, 1),
        "old": (100, 1, 1),
        "gone": (100, 1, 1),
    }
    assert (found["main"]["share"], found["main"]["first"], found["main"]["last"]) == (0.2, DAY, DAY)
    assert found["gone"]["state"] == "not configured"
    monkeypatch.setattr(out, "width", 160)
    text = keepsight("pools", code=1).stdout
    assert "200 B of 1.0 kB (20%)" in text
    assert "gone: its footage cannot be read" in text


def test_a_count_takes_away_what_is_no_more(keepsight: Keepsight) -> None:
    """A camera-day that was counted and has no rows left is nothing after a new count; a drained pool that is empty says so."""
    indexed(keepsight, lambda index: index.put_usage("gate", day_of(NOON_US), {"old": (3, 300)}))
    assert lines(keepsight)["old"]["stored_bytes"] == 300
    keepsight("pools", "count")
    assert lines(keepsight)["old"]["stored_bytes"] == 0
    assert "old: empty: it may be taken out" in keepsight("pools").stdout


def test_pools_tell_whose_footage_they_take(keepsight: Keepsight) -> None:
    """Cameras by where their new footage goes; one that nobody takes is said, and the exit code is 1."""

    async def cameras(index: Index) -> None:
        for number, pool in enumerate(["", "main", "old"]):
            await index.add_camera(a_camera(f"cam{number}", pool=pool))

    indexed(keepsight, cameras)
    assert {name: line["assigned_cameras"] for name, line in lines(keepsight).items()} == {"main": 3, "old": 0}
    keepsight.configure('[pools]\nmain = { kind = "files", state = "closed" }\nold = { kind = "files", state = "drained" }\n')
    assert keepsight.json("pools", code=1)["cameras_with_nowhere_to_go"] == 3
    assert "3 cameras have nowhere to go" in keepsight("pools", code=1).stdout


def test_a_full_pool_is_a_finding(keepsight: Keepsight) -> None:
    """By its declared size."""
    indexed(keepsight, lambda index: index.put_usage("gate", day_of(NOON_US), {"main": (3, 1000)}))
    assert "main: full" in keepsight("pools", code=1).stdout


def test_a_folder_is_probed(keepsight: Keepsight) -> None:
    """All that every pool needs is tried on the real folder, and nothing is left in it."""
    found = keepsight.json("pools", "probe", "main")["main"]
    assert {finding["ability"] for finding in found} == {"create-only", "attributes", "ranges", "lists", "deletes", "checksums"}
    assert all(finding["passed"] and finding["needed"] for finding in found)
    pool = keepsight.folder / "keepsight-data" / "pools" / "main"
    assert sorted(path.name for path in pool.iterdir()) == [".incoming", ".lock"]
    assert "every pool" in keepsight("pools", "probe").stdout
    assert "'far' is not configured" in keepsight.refused("pools", "probe", "far", code=2)


# --- MinIO ---


def minio(port: int, bucket: str = "footage") -> S3Settings:
    return S3Settings(f"http://127.0.0.1:{port}", bucket, "key", "canary-secret", allow_http=True)


def usage_info(last: str = "2026-11-22T20:08:23.97Z", buckets: object = None) -> bytes:
    """The answer of a real MinIO (RELEASE.2025-10-15), shortened to what is read."""
    found = {"footage": {"size": 500_000, "objectsCount": 5, "versionsCount": 0}, "probe": {"size": 5, "objectsCount": 1}}
    return json.dumps({"lastUpdate": last, "objectsTotalSize": 500_005, "bucketsUsageInfo": found if buckets is None else buckets}).encode()


def test_minio_tells_what_is_in_the_bucket() -> None:
    """Of this bucket alone, with the time of its count; a cluster that has not counted yet tells nothing."""
    port = free_port()
    with answering(port, 200, usage_info()) as asked:
        assert bucket_fill(minio(port)) == BucketFill(500_000, 5, "2026-11-22T20:08:23.97Z")
        assert bucket_fill(minio(port, "other")) == BucketFill(0, 0, "2026-11-22T20:08:23.97Z")
        assert asked[0].startswith("/minio/admin/v3/datausageinfo AWS4-HMAC-SHA256 Credential=key/")
    with answering(port, 200, b'{"lastUpdate": "0001-01-01T00:00:00Z", "bucketsUsageInfo": null}'):
        assert bucket_fill(minio(port)) == BucketFill(0, 0, "")


@pytest.mark.parametrize(("status", "body"), [(403, b'{"Code":"AccessDenied"}'), (200, b"<html>"), (200, b"{}"), (200, b"[]"), (404, b"")])
def test_who_is_no_minio_is_refused(status: int, body: bytes) -> None:
    """A store that does not speak the admin API, or not with this key, is refused with the setting, without the secret."""
    port = free_port()
    with answering(port, status, body), pytest.raises(Refused, match="minio_admin") as caught:
        bucket_fill(minio(port))
    assert "canary" not in str(caught.value)
    with pytest.raises(TryAgain):
        bucket_fill(minio(free_port()))


def test_both_figures_are_shown(keepsight: Keepsight) -> None:
    """Ours and the cluster's, with the difference; ours alone decides what is wrong."""
    secret = keepsight.folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("canary-secret")
    port = free_port()
    far = f'far = {{ kind = "s3", endpoint = "http://127.0.0.1:{port}", bucket = "footage", access_key_id = "key"'
    keepsight.configure(POOLS.format(more=f'{far}, secret_file = "{secret}", minio_admin = true, size_bytes = 400_000 }}'))
    indexed(keepsight, lambda index: index.put_usage("gate", day_of(NOON_US), {"far": (3, 300_000)}))
    with answering(port, 200, usage_info()):
        assert "far: its cluster counts 500.0 kB (+200.0 kB) at 2026-11-22T20:08Z" in keepsight("pools").stdout
    assert "does not answer" in lines(keepsight)["far"]["own"]
