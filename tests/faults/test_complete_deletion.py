"""A deletion is complete and proven (promise R18), on a real S3 server with and without versions, and on a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.due_site import Amount
from bench.promise_r18 import Keeping, measure, of_bucket, of_folder
from tests.servers.s3 import S3Server

AMOUNT = Amount(cameras=2, days=2, segments=8)
STORES: dict[str, Callable[[S3Server, Path], Keeping]] = {
    "versions": lambda server, _: of_bucket(server, versions=True),
    "no versions": lambda server, _: of_bucket(server, versions=False),
    "folder": lambda _, folder: of_folder(folder),
}


@pytest.mark.server
@pytest.mark.parametrize("store", STORES)
async def test_nothing_is_left_and_every_deletion_has_its_receipt(tmp_path: Path, s3_server: S3Server, store: str) -> None:
    """No byte, version, mark or file under what was due; receipts name exactly that; what is not due is there, byte for byte."""
    (tmp_path / "pool").mkdir()
    tally = await measure(STORES[store](s3_server, tmp_path / "pool"), AMOUNT, tmp_path)

    assert tally.segments == AMOUNT.all_segments
    assert tally.failures == 0, tally


@pytest.mark.server
@pytest.mark.parametrize("store", STORES)
async def test_a_version_that_a_store_keeps_for_itself_is_seen(tmp_path: Path, s3_server: S3Server, store: str) -> None:
    """The negative control: the store says that it is gone, the receipt believes it, and the look past our code finds it."""
    (tmp_path / "pool").mkdir()
    tally = await measure(STORES[store](s3_server, tmp_path / "pool"), AMOUNT, tmp_path, hides=True)

    assert tally.residual_versions >= 1
