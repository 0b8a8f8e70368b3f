"""The object contract over the store in memory; its back door is the dict itself."""

from __future__ import annotations

import contextlib

import pytest

from segments.errors import Conflict
from segments.ports import ObjectInfo
from segments.stores.memory_objects import MemoryObjects
from tests.contract.object_contract import ObjectContract, put
from tests.contract.object_version_contract import LegalHoldContract


class DictBackDoor:
    """See `BackDoor`."""

    def __init__(self, store: MemoryObjects) -> None:
        self._objects = store._objects

    def read(self, key: str) -> bytes | None:
        """See `BackDoor`."""
        return self._objects[key][0] if key in self._objects else None

    def kept(self, key: str, version: str) -> bytes | None:
        """See `VersionBackDoor`."""
        return None if version else self.read(key)

    def write(self, key: str, data: bytes) -> None:
        """See `BackDoor`."""
        self._objects[key] = data, ObjectInfo(key, len(data), "", "", {})

    def keys(self, prefix: str) -> set[str]:
        """See `BackDoor`."""
        return {key for key in self._objects if key.startswith(prefix)}


class TestMemoryObjects(ObjectContract, LegalHoldContract):
    """The contract."""

    adapter = "MemoryObjects"

    @pytest.fixture
    def store(self) -> MemoryObjects:
        """A new store."""
        return MemoryObjects()

    @pytest.fixture
    def back(self, store: MemoryObjects) -> DictBackDoor:
        """Its dict."""
        return DictBackDoor(store)


class OverwritingObjects(MemoryObjects):
    """A store that breaks the first rule."""

    async def put(self, key, body, *, sha256, attributes) -> str:
        """Overwrites."""
        with contextlib.suppress(Conflict):
            return await super().put(key, body, sha256=sha256, attributes=attributes)
        del self._objects[key]
        return await super().put(key, body, sha256=sha256, attributes=attributes)


async def test_control_an_overwriting_store_fails_the_contract() -> None:
    """The suite goes red over a store that overwrites, both in turn and in a race."""
    store = OverwritingObjects()
    back = DictBackDoor(store)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await ObjectContract().test_put_again_conflicts(store, back, "a/")
    with pytest.raises(AssertionError):
        await ObjectContract().test_racing_puts_have_one_winner(store, back, "b/", 1000)


class ForgettingObjects(MemoryObjects):
    """A store that takes holds and forgets them when it deletes."""

    async def delete(self, keys) -> dict[str, str]:
        """Removes all."""
        for key in keys:
            self._objects.pop(key, None)
        return {}


async def test_control_a_forgetful_store_fails_the_contract() -> None:
    """The suite goes red over a store whose holds hold nothing."""
    store = ForgettingObjects()
    contract = TestMemoryObjects()
    await contract.test_a_hold_is_set_and_lifted(store, "a/")
    with pytest.raises(AssertionError):
        await contract.test_a_held_version_resists(store, DictBackDoor(store), "b/")


async def test_what_was_put_is_not_aliased() -> None:
    """Changing the attributes given to a put afterwards changes nothing in the store."""
    store = MemoryObjects()
    await put(store, "a", b"x", camera="one")
    assert isinstance(await store.head("a"), ObjectInfo)
    given = {"camera": "two"}
    await store.put("b", b"", sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", attributes=given)
    given["camera"] = "changed"
    assert (await store.head("b")).attributes == {"camera": "two"}


async def test_memory_has_no_links() -> None:
    """Nobody else could follow one."""
    store = MemoryObjects()
    await put(store, "a", b"x")
    assert await store.link("a", "", 30) is None
