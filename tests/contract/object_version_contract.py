"""The contracts of `Versions` and `LegalHolds` as classes that adapters' tests inherit; their oracle is a back door past the adapter."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Protocol
from uuid import uuid4

import pytest

from segments.errors import BadInput, Conflict, NotFound, Refused
from segments.ports import ObjectStore, ObjectVersion
from tests.contract.object_contract import BackDoor, put


class VersionBackDoor(BackDoor, Protocol):
    """Raw access to versions too."""

    def kept(self, key: str, version: str) -> bytes | None:
        """The stored bytes of a version, None if it is not there."""


async def all_versions(store: ObjectStore, prefix: str) -> list[ObjectVersion]:
    """All that is listed, in order; each must be there once."""
    found = [entry async for entry in store.versions(prefix)]
    assert len(set(found)) == len(found)
    return sorted(found)


class VersionContract:
    """Fixtures to give: `store` and `back`; `adapter` names the class under test."""

    adapter: ClassVar[str]

    @pytest.fixture
    def base(self, store: ObjectStore) -> str:
        """A folder of this test's own; also makes sure which adapter runs."""
        assert type(store).__name__ == self.adapter
        return f"t{uuid4().hex[:12]}/"

    async def test_versions_are_those_that_were_put(self, store, base) -> None:
        """Every object is listed once, with the version its put returned and its size; a prefix may end within a name."""
        keys = ["a", "a.b", "b/1", "b/10", "b/c/d", "b-/1", "bb/é x+y%20&", "c_end"]
        expected = sorted([ObjectVersion(base + key, await put(store, base + key, key.encode()), len(key.encode())) for key in keys])
        assert await all_versions(store, base) == expected
        for prefix in ("a", "b", "b/", "b/1", "b/c/d", "none", "b//", "b/../", "bb/é"):
            wanted = [entry for entry in expected if entry.key.startswith(base + prefix)]
            assert await all_versions(store, base + prefix) == wanted, prefix

    @pytest.mark.slow
    async def test_long_lists_of_versions_are_whole(self, store, base) -> None:
        """More than a thousand are listed completely, each once, and may be removed a thousand at a time."""
        keys = [f"{base}{n % 3}/{n:05d}" for n in range(1105)]
        for first in range(0, len(keys), 65):
            await asyncio.gather(*(put(store, key, b"") for key in keys[first : first + 65]))
        found = await all_versions(store, base)
        assert [entry.key for entry in found] == sorted(keys)
        assert await store.delete_versions([entry[:2] for entry in found[:1000]]) == {}
        assert await all_versions(store, base) == found[1000:]

    async def test_removed_versions_are_gone_for_good(self, store, back, base) -> None:
        """They are gone from every view and leave no mark; others stay; a missing one counts as removed, also twice; the key is free."""
        versions = {key: await put(store, base + key, b"x") for key in ("a", "b/c", "b/d", "e")}
        doomed = [
            (base + "a", versions["a"]),
            (base + "b/c", versions["b/c"]),
            (base + "missing", versions["a"]),
            (base + "none/at/all", ""),
        ]
        assert await store.delete_versions(doomed) == {}
        assert back.keys(base) == {base + "b/d", base + "e"}
        assert [entry.key for entry in await all_versions(store, base)] == [base + "b/d", base + "e"]
        assert await store.delete_versions(doomed) == {}
        assert await store.delete_versions([]) == {}
        await put(store, base + "a", b"new")
        assert back.read(base + "a") == b"new"

    async def test_a_version_that_never_was_is_not_there(self, store, back, base) -> None:
        """Removing a version that this store never gave harms nothing, and is no error."""
        await put(store, base + "a", b"x")
        assert await store.delete_versions([(base + "a", "of-another-store")]) == {}
        assert back.read(base + "a") == b"x"

    async def test_bad_doomed_are_refused(self, store, back, base) -> None:
        """More than 1,000 at once, or a key that cannot be, are refused, and nothing is removed."""
        version = await put(store, base + "a", b"x")
        for wrong in ([(f"{base}{n}", "") for n in range(1000)], [(base + "a//b", "")]):
            with pytest.raises(BadInput, match="key"):
                await store.delete_versions([(base + "a", version), *wrong])
        assert back.keys(base) == {base + "a"}


class LegalHoldContract(VersionContract):
    """The same with the holds of a pool that has locks."""

    async def test_a_hold_is_set_and_lifted(self, store, base) -> None:
        """It is what was last said of it, for this version only, however often it is said."""
        version, other = await put(store, base + "a", b"x"), await put(store, base + "b", b"x")
        assert not await store.legal_hold(base + "a", version)
        for held in (True, True, False, False, True):
            await store.set_legal_hold(base + "a", version, held=held)
            assert await store.legal_hold(base + "a", version) is held
            assert not await store.legal_hold(base + "b", other)

    async def test_a_held_version_resists(self, store, back, base) -> None:
        """It outlives every removal, which names it, and a put; its neighbours go. When the hold is lifted it can be removed."""
        held, free, newer = [(base + key, await put(store, base + key, key.encode())) for key in ("held", "free", "newer")]
        await store.set_legal_hold(*held, held=True)
        with pytest.raises(Conflict):
            await put(store, held[0], b"other")
        refused = await store.delete_versions([free, held])
        assert list(refused) == [held]
        assert refused[held]
        reasons = await store.delete([held[0], newer[0]])  # a store with versions only marks it
        assert set(reasons) <= {held[0]}
        assert back.kept(*held) == b"held"
        assert held in [entry[:2] for entry in await all_versions(store, base)]
        assert back.keys(base) <= {held[0]}
        await store.set_legal_hold(*held, held=False)
        assert await store.delete_versions([entry[:2] for entry in await all_versions(store, base)]) == {}
        assert back.kept(*held) is None
        assert await all_versions(store, base) == []

    async def test_what_is_missing_cannot_be_held(self, store, base) -> None:
        """Neither a missing object nor a version that never was."""
        version = await put(store, base + "a", b"x")
        for missing in ((base + "none", version), (base + "none", ""), (base + "a", "of-another-store")):
            for call in (store.set_legal_hold(*missing, held=True), store.legal_hold(*missing)):
                with pytest.raises(NotFound, match=base):
                    await call
        with pytest.raises(BadInput, match="key"):
            await store.legal_hold(base + "a//b", "")


class NoLocksContract(VersionContract):
    """The same of a pool without locks."""

    async def test_holds_are_refused(self, store, back, base) -> None:
        """Nobody may believe that something is held which is not."""
        version = await put(store, base + "a", b"x")
        for call in (store.set_legal_hold(base + "a", version, held=True), store.legal_hold(base + "a", version)):
            with pytest.raises(Refused, match="Object Lock"):
                await call
        assert back.read(base + "a") == b"x"
