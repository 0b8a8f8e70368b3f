"""A power cut at any instant loses no acknowledged fragment (promise R1, short form)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.loop_disk import need_root
from tests.faults.power_cut import cut_often

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _rooted() -> None:
    need_root("mkfs.ext4", "mount", "umount")


def test_a_power_cut_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After cuts at random instants every acknowledged fragment is there bit for bit, and nothing served is damaged."""
    verdict = cut_often(tmp_path, 30)

    assert verdict.promised > 300
    assert (verdict.lost, verdict.damaged, verdict.unsealed) == (0, 0, 0)


def test_syncing_file_by_file_loses_nothing_either(tmp_path: Path) -> None:
    """The way taken where syncfs tells of no errors keeps the same promise."""
    verdict = cut_often(tmp_path, 10, sync="file")

    assert verdict.promised > 100
    assert (verdict.lost, verdict.damaged, verdict.unsealed) == (0, 0, 0)


def test_without_a_sync_the_cut_loses_acknowledged_footage(tmp_path: Path) -> None:
    """The control: acknowledging what is only in the page cache is found out."""
    verdict = cut_often(tmp_path, 3, sync="none")

    assert verdict.lost > 0
