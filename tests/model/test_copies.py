"""Sites that copy, delete and hold while links break and sites burn: nothing that was promised is lost, nothing comes back, nothing differs
in the end; and each rule that is taken away is missed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.model.copying_sites import CAME_BACK, HELD_GONE, SHORT_GONE, WRONG_BYTES, story

pytestmark = pytest.mark.slow

MET = {"something was deleted", "a hold that not all were told of", "a site that burnt"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of cut links are not worth a line each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("sites", [2, 3])
async def test_nothing_promised_is_lost_and_nothing_comes_back(tmp_path: Path, sites: int) -> None:
    """Over all stories told; and between them everything that makes it hard was met."""
    met: set[str] = set()
    for seed in range(6):
        found = await story(tmp_path / str(seed), seed, sites=sites)
        assert found.found == {}, f"story {seed}"
        met |= found.met
    assert met >= MET


async def _first_found(folder: Path, what: str, *, sites: int = 3) -> bool:
    for seed in range(12):
        if what in (await story(folder / str(seed), seed, sites=sites)).found:
            return True
    return False


async def test_without_verifying_wrong_bytes_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a copier that believes what comes, and a store that does."""

    async def believing(_self: Any, _row: Any, pieces: Any) -> Any:
        async for piece in pieces:
            yield piece

    monkeypatch.setattr("replication.copy.SegmentCopy._verified", believing)
    monkeypatch.setattr("segments.stores.memory_objects.read_verified", lambda _key, body, _sha256: body)
    assert await _first_found(tmp_path, WRONG_BYTES)


async def test_without_receipts_the_deleted_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: who asks only whether footage is to be kept brings back, say, what a hold covers that came too late here."""

    async def nothing(*_: Any) -> set[Any]:
        return set()

    monkeypatch.setattr("deploy.keeping.RetentionKeeping._gone", nothing)
    assert await _first_found(tmp_path, CAME_BACK)


async def test_without_the_holds_of_others_held_footage_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a site that neither takes what it is told nor asks before it deletes."""

    async def deaf(*_: Any, **__: Any) -> dict[str, str]:
        return {}

    monkeypatch.setattr("replication.copies_here.CopiesAtPeers.hear", deaf)
    monkeypatch.setattr("tests.model.copying_sites.ModelSite.merge", deaf)
    assert await _first_found(tmp_path, HELD_GONE)


async def test_without_asking_for_copies_the_only_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a sweep that takes every copy for made."""

    async def made(*_: Any, **__: Any) -> dict[Any, str]:
        return {}

    monkeypatch.setattr("replication.copies_here.CopiesAtPeers.short", made)
    assert await _first_found(tmp_path, SHORT_GONE)
