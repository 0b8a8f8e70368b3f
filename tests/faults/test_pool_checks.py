"""Pools at the start: a store that fakes what is needed refuses it, a pass is remembered, and a store that is away is no obstacle."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.pool_checks import REMEMBERED_US, check_pools
from deploy.settings import Settings, load_settings
from deploy.wiring import open_stores
from segments.clock import SystemClock
from segments.errors import StartRefused
from tests.servers.pretenders import Rclone
from tests.servers.processes import free_port
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.servers.toxiproxy import Proxy, Toxiproxy

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[Toxiproxy]:
    """The proxies' program."""
    with Toxiproxy() as running:
        yield running


Configured = Callable[..., Settings]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Makes settings with one pool, a bucket at this port."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET_KEY)

    def make(port: int, bucket: str, **more: Any) -> Settings:
        values = {"kind": "s3", "endpoint": f"http://127.0.0.1:{port}", "bucket": bucket, "access_key_id": ACCESS_KEY, **more}
        lines = [f"{name} = {json.dumps(value)}" for name, value in {**values, "secret_file": str(secret)}.items()]
        (tmp_path / "keepsight.toml").write_text("\n".join(["[pools.main]", *lines]))
        settings = load_settings(tmp_path / "keepsight.toml", {})
        settings.site.folder.mkdir(exist_ok=True)
        return settings

    return make


async def check(settings: Settings) -> int:
    """Checks the pools as a start does; returns when the pool was last found good."""
    async with open_stores(settings) as stores:
        await check_pools(settings, stores.pools)
    return int(memory(settings)["main"]["at_us"])


def memory(settings: Settings) -> dict[str, Any]:
    """What is remembered."""
    return json.loads((settings.site.folder / "probed.json").read_text())


async def test_a_store_that_fakes_is_refused(configured: Configured, tmp_path: Path) -> None:
    """With the pool's name and what it does not do; nothing is remembered, and the next start refuses it too."""
    (tmp_path / "rclone").mkdir()
    with Rclone(tmp_path / "rclone") as server:
        settings = configured(server.port, server.make_bucket())
        for _ in range(2):
            with pytest.raises(StartRefused, match=r"pool main: its store does not do .* create-only .* checksums") as caught:
                await check(settings)
    assert "keepsight pools probe main" in str(caught.value)
    assert SECRET_KEY not in str(caught.value)
    assert not (settings.site.folder / "probed.json").exists()


async def test_what_a_setting_needs_is_asked(configured: Configured, versitygw_server: S3Server) -> None:
    """A bucket without locks is good for a pool, and not for one that needs them; the sentence says which."""
    bucket = versitygw_server.make_bucket()
    await check(configured(versitygw_server.port, bucket))
    with pytest.raises(StartRefused, match=r"object-lock \(the bucket was made without Object Lock\)"):
        await check(configured(versitygw_server.port, bucket, needs=["object-lock"]))
    await check(configured(versitygw_server.port, versitygw_server.make_bucket(locks=True), needs=["versions"]))


async def test_a_pass_is_remembered_for_a_day(configured: Configured, versitygw_server: S3Server) -> None:
    """The next start asks nothing; after a day, with another bucket or another secret file, it asks again."""
    settings = configured(versitygw_server.port, versitygw_server.make_bucket())
    first_us = await check(settings)
    assert await check(settings) == first_us

    kept = memory(settings)
    kept["main"]["at_us"] = SystemClock().now_us() - REMEMBERED_US - 1
    (settings.site.folder / "probed.json").write_text(json.dumps(kept))
    second_us = await check(settings)
    assert second_us > first_us

    third_us = await check(configured(versitygw_server.port, versitygw_server.make_bucket()))
    assert third_us > second_us
    settings.pools["main"].secret_file.write_text(SECRET_KEY)
    assert await check(configured(versitygw_server.port, settings.pools["main"].bucket)) > third_us
    (settings.site.folder / "probed.json").write_text("not JSON")
    await check(settings)


async def test_a_store_that_is_away_stops_no_start(
    configured: Configured, versitygw_server: S3Server, toxiproxy: Toxiproxy, caplog: pytest.LogCaptureFixture
) -> None:
    """One that never answered refuses it; one that was good before is warned of, and recording can begin."""
    proxy: Proxy = toxiproxy.before(versitygw_server.port)
    bucket = versitygw_server.make_bucket()
    settings = configured(proxy.port, bucket)
    proxy.down()
    with pytest.raises(StartRefused, match="pool main cannot be used"):
        await check(settings)
    proxy.up()
    await check(settings)
    proxy.down()
    with caplog.at_level(logging.WARNING):
        await check(settings)
    assert "pool.away: pool main does not answer" in caplog.text


async def test_a_closed_pool_is_only_read(configured: Configured, versitygw_server: S3Server, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is put into it, so it needs no ability but to answer; if it is away the start goes on."""
    bucket = versitygw_server.make_bucket()
    settings = configured(versitygw_server.port, bucket, state="closed")
    async with open_stores(settings) as stores:
        await check_pools(settings, stores.pools)
    assert not (settings.site.folder / "probed.json").exists()
    away = configured(free_port(), bucket, state="drained")
    async with open_stores(away) as stores:
        await check_pools(away, stores.pools)
    assert "pool.away" in caplog.text
