"""The contract of the object ports as a class every adapter's tests inherit; its oracle is a back door past the adapter."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path
from typing import ClassVar, Protocol
from uuid import uuid4

import pytest

from segments.errors import BadInput, Conflict, DataDamaged, NotFound
from segments.ports import ListedObject, ObjectStore
from segments.stores.object_rules import MAX_OBJECT_BYTES

MIB = 1 << 20


class BackDoor(Protocol):
    """Raw access to what an adapter keeps, past the adapter."""

    def read(self, key: str) -> bytes | None:
        """The stored bytes, None if there is no such object."""

    def write(self, key: str, data: bytes) -> None:
        """An object put by others, without hash and attributes."""

    def keys(self, prefix: str) -> set[str]:
        """All objects whose key begins so."""


def sha256(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


async def put(store: ObjectStore, key: str, data: bytes, **attributes: str) -> str:
    """A good put."""
    return await store.put(key, data, sha256=sha256(data), attributes=attributes)


async def all_keys(store: ObjectStore, prefix: str, *, limit: int = 1000, after: str = "") -> list[str]:
    """Every key of a listing, page by page."""
    keys: list[str] = []
    while True:
        page = await store.list(prefix, after=after, limit=limit)
        assert len(page.items) <= limit
        keys += [item.key for item in page.items]
        if page.next is None:
            return keys
        after = page.next


class ObjectContract:
    """Fixtures to give: `store` and `back`; `adapter` names the class under test."""

    adapter: ClassVar[str]

    @pytest.fixture
    def base(self, store: ObjectStore) -> str:
        """A folder of this test's own; also makes sure which adapter runs."""
        assert type(store).__name__ == self.adapter
        return f"t{uuid4().hex[:12]}/"

    # --- put ---------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 40 * MIB])
    @pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
    async def test_put_stores_the_very_bytes(self, store, back, base, tmp_path: Path, size: int, as_file: bool) -> None:
        """What was put, as bytes or as a file, of any size, lies in the store bit for bit and comes back so."""
        data = some_bytes(size)
        (tmp_path / "body").write_bytes(data)
        body = tmp_path / "body" if as_file else data
        await store.put(base + "a.mp4", body, sha256=sha256(data), attributes={})
        assert sha256(back.read(base + "a.mp4")) == sha256(data)
        assert sha256(await store.get(base + "a.mp4")) == sha256(data)
        assert (tmp_path / "body").read_bytes() == data

    async def test_put_again_conflicts(self, store, back, base) -> None:
        """A second put of a key is refused, with the same and with other content, and changes neither bytes nor attributes."""
        await put(store, base + "a", b"first", camera="one")
        for data in (b"first", b"second, longer", b""):
            with pytest.raises(Conflict, match="a"):
                await put(store, base + "a", data, camera="two")
        assert back.read(base + "a") == b"first"
        info = await store.head(base + "a")
        assert (info.size, info.sha256, info.attributes) == (5, sha256(b"first"), {"camera": "one"})

    async def test_put_over_a_foreign_object_conflicts(self, store, back, base) -> None:
        """An object put by others is not overwritten either."""
        back.write(base + "a", b"theirs")
        with pytest.raises(Conflict):
            await put(store, base + "a", b"ours")
        assert back.read(base + "a") == b"theirs"

    @pytest.mark.parametrize("size", [1000, MIB])
    async def test_racing_puts_have_one_winner(self, store, back, base, size: int) -> None:
        """Of many puts of one key at once exactly one succeeds, and the object has its bytes and its attributes."""
        bodies = [some_bytes(size, seed) for seed in range(16)]
        puts = [put(store, base + "a", body, number=str(n)) for n, body in enumerate(bodies)]
        results = await asyncio.gather(*puts, return_exceptions=True)
        winners = [n for n, result in enumerate(results) if not isinstance(result, Exception)]
        assert len(winners) == 1, results
        assert all(isinstance(result, Conflict) for n, result in enumerate(results) if n not in winners), results
        assert back.read(base + "a") == bodies[winners[0]]
        assert (await store.head(base + "a")).attributes == {"number": str(winners[0])}

    @pytest.mark.parametrize("size", [0, 10, 5 * MIB])
    @pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
    async def test_wrong_hash_is_refused(self, store, back, base, tmp_path: Path, size: int, as_file: bool) -> None:
        """Bytes that are not of the promised hash are refused, nothing is visible afterwards, and the key is still free."""
        data = some_bytes(size)
        (tmp_path / "body").write_bytes(data)
        with pytest.raises(DataDamaged, match=sha256(data)):
            await store.put(base + "a", tmp_path / "body" if as_file else data, sha256=sha256(data + b"x"), attributes={})
        assert back.keys(base) == set()
        with pytest.raises(NotFound):
            await store.head(base + "a")
        await put(store, base + "a", data)
        assert back.read(base + "a") == data

    async def test_attributes_come_back(self, store, base) -> None:
        """Attributes come back as they were given: any text, also what HTTP headers cannot carry."""
        attributes = {
            "plain": "PT60.04S",
            "empty": "",
            "chinese": "厦门思明区 1 号",
            "percent": "50%25 %zz 100%",
            "spaces": "  two  inside, some around  ",
            "lines": "a\nb\tc",
            "signs": '"a;b,c=d\\e+f&g?h#i"',
            "emoji-1": "🎥",
        }
        await put(store, base + "a.mp4", b"x", **attributes)
        info = await store.head(base + "a.mp4")
        assert info.attributes == attributes
        assert (info.key, info.size, info.sha256) == (base + "a.mp4", 1, sha256(b"x"))

    async def test_names_of_attributes_have_no_case(self, store, back, base) -> None:
        """Names come back in lower case from every store, and two that differ in case only are refused."""
        await put(store, base + "a", b"x", **{"Source": "gate", "End-Cause": "camera-away"})
        assert (await store.head(base + "a")).attributes == {"source": "gate", "end-cause": "camera-away"}
        with pytest.raises(BadInput, match="case"):
            await put(store, base + "b", b"x", Source="1", source="2")
        assert back.keys(base) == {base + "a"}

    @pytest.mark.parametrize("name", ["start_us", "", "ſ", "-a", "a b", "é", "a" * 65, "sha256", "SHA256", "Content-Type", "a\r\nx"])
    async def test_bad_attribute_names_are_refused(self, store, back, base, name: str) -> None:
        """A name that some store would change or drop is refused by all."""
        with pytest.raises(BadInput, match="attribute"):
            await put(store, base + "a", b"x", **{name: "1"})
        assert back.keys(base) == set()

    @pytest.mark.parametrize("value", ["x" * 2049, "门" * 230, "\ud800"], ids=["long", "long when encoded", "half a character"])
    async def test_bad_attribute_values_are_refused(self, store, back, base, value: str) -> None:
        """More than the 2 KiB that S3 keeps, counted encoded, is refused, as is what is not text."""
        with pytest.raises(BadInput, match="attribute"):
            await put(store, base + "a", b"x", name=value)
        assert back.keys(base) == set()

    @pytest.mark.parametrize(
        "key",
        [
            *("", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", ".hidden", "a/.b", "a\\b", "a\0b", "a\nb", "\ud800"),
            *("a" * 201, "a/" + "门" * 67, "/".join(["a" * 150] * 7)),
        ],
    )
    async def test_bad_keys_are_refused(self, store, key: str) -> None:
        """A key that some store could not hold, or that would leave the pool, is refused by every call of all."""
        calls = [put(store, key, b"x"), store.head(key), store.get(key), store.delete(["good", key])]
        for call in calls:
            with pytest.raises(BadInput, match="key"):
                await call

    @pytest.mark.parametrize("key", ["a" * 200, "门" * 66, "/".join(["a" * 145] * 6), "a b+c%20~'()!*é=&?#", "a..b/c.mp4_end"])
    async def test_odd_keys_are_kept(self, store, back, base, key: str) -> None:
        """What the rules allow is stored, listed and read under exactly its name."""
        await put(store, base + key, b"x")
        assert back.keys(base) == {base + key}
        assert await all_keys(store, base) == [base + key]
        assert await store.get(base + key) == b"x"
        assert await store.delete([base + key]) == {}
        assert back.keys(base) == set()

    @pytest.mark.parametrize("digest", ["", "x" * 64, "A" * 64, "a" * 63])
    async def test_bad_hashes_are_refused(self, store, base, digest: str) -> None:
        """A put without a SHA-256 in lower-case hex is refused."""
        with pytest.raises(BadInput, match="SHA-256"):
            await store.put(base + "a", b"x", sha256=digest, attributes={})

    async def test_bodies_that_cannot_be_are_refused(self, store, back, base, tmp_path: Path) -> None:
        """A body over 1 GiB, or a file that is not there, is refused before anything is read or sent."""
        with (tmp_path / "sparse").open("wb") as sparse:
            sparse.truncate(MAX_OBJECT_BYTES + 1)
        for body in (tmp_path / "sparse", tmp_path / "missing"):
            with pytest.raises(BadInput):
                await store.put(base + "a", body, sha256=sha256(b""), attributes={})
        assert back.keys(base) == set()

    # --- read --------------------------------------------------------------------------------------------------------

    async def test_missing_is_not_found(self, store, base) -> None:
        """Every read of a missing object says so, whatever the range; so does one of a folder."""
        await put(store, base + "folder/a", b"x")
        for key in (base + "missing", base + "none/at/all", base + "folder"):
            reads = [
                store.head(key),
                store.get(key),
                store.get(key, 3, 9),
                store.get(key, 5),
                store.get(key, 3, 3),
                anext(store.stream(key)),
            ]
            for read in reads:
                with pytest.raises(NotFound, match=base):
                    await read

    @pytest.mark.parametrize(("start", "end"), [(0, None), (0, 10), (3, 7), (3, None), (9, 10), (5, 99), (0, 99), (3, 3), (7, 3), (0, 0)])
    async def test_ranges(self, store, base, start: int, end: int | None) -> None:
        """A range gives the bytes from start to end, end excluded; past the end it is cut; an empty one is b''."""
        await put(store, base + "a", b"0123456789")
        assert await store.get(base + "a", start, end) == b"0123456789"[start:end]
        assert b"".join([piece async for piece in store.stream(base + "a", start, end)]) == b"0123456789"[start:end]

    @pytest.mark.parametrize("data", [b"", b"0123456789"])
    @pytest.mark.parametrize(("start", "end"), [(10, None), (10, 20), (99, None), (99, 120)])
    async def test_ranges_past_the_end(self, store, base, data: bytes, start: int, end: int | None) -> None:
        """A range that begins at or past the end is empty, also of an empty object."""
        await put(store, base + "a", data)
        assert await store.get(base + "a", start, end) == b""

    async def test_negative_ranges_are_refused(self, store, base) -> None:
        """There is no counting from the end."""
        await put(store, base + "a", b"0123456789")
        for start, end in ((-1, None), (0, -1), (-3, -1)):
            with pytest.raises(BadInput, match="range"):
                await store.get(base + "a", start, end)

    async def test_stream_comes_in_pieces(self, store, base) -> None:
        """A long range comes in pieces of some MiB that join to the very bytes."""
        data = some_bytes(18 * MIB)
        await put(store, base + "a", data)
        pieces = [piece async for piece in store.stream(base + "a", 5, 17 * MIB)]
        assert b"".join(pieces) == data[5 : 17 * MIB]
        assert len(pieces) >= 4
        assert max(map(len, pieces)) <= 8 * MIB

    async def test_a_stream_may_be_left(self, store, base) -> None:
        """A reader that goes away after one piece leaves nothing behind that disturbs the next."""
        data = some_bytes(18 * MIB)
        await put(store, base + "a", data)
        for _ in range(5):
            stream = store.stream(base + "a")
            assert data.startswith(await anext(stream))
            await stream.aclose()
        assert await store.get(base + "a", 17 * MIB) == data[17 * MIB :]

    async def test_foreign_objects_are_readable(self, store, back, base) -> None:
        """An object put by others is there with its size, without hash and attributes."""
        back.write(base + "a/b", b"theirs")
        info = await store.head(base + "a/b")
        assert (info.size, info.sha256, info.attributes) == (6, "", {})
        assert await store.get(base + "a/b", 1, 3) == b"he"
        assert await all_keys(store, base) == [base + "a/b"]

    # --- list --------------------------------------------------------------------------------------------------------

    KEYS: ClassVar = [
        "a",
        "a.b",
        "a.b.c",
        "a-b",
        "a0/x",
        "b/1",
        "b/10",
        "b/2",
        "b/c/d",
        "b/c.d",
        "b/c/e/f",
        "b-/1",
        "b0",
        "bb/é",
        "bb/z",
        "c",
    ]

    async def test_list_is_in_order_of_key(self, store, back, base) -> None:
        """Listings are in order of the whole keys' UTF-8 bytes, folders or not, whatever the size of the pages."""
        for key in self.KEYS:
            await put(store, base + key, key.encode())
        expected = sorted((base + key for key in self.KEYS), key=str.encode)
        assert back.keys(base) == set(expected)
        for limit in (1, 2, 3, 7, 16, 17, 1000):
            assert await all_keys(store, base, limit=limit) == expected, limit
        page = await store.list(base)
        assert list(page.items) == [ListedObject(key, len(key.removeprefix(base).encode())) for key in expected]
        assert page.next is None

    async def test_list_after_any_key(self, store, base) -> None:
        """`after` excludes what is smaller or equal, whether an object has that key or not."""
        for key in self.KEYS:
            await put(store, base + key, b"x")
        expected = sorted(base + key for key in self.KEYS)
        for after in [*expected, base + "b", base + "b/c", base + "b/c/e", base + "b/c/zz", base + "zzz", base[:-1], "0", "zzzzzz"]:
            assert await all_keys(store, base, after=after) == [key for key in expected if key > after], after

    async def test_list_by_prefix(self, store, base) -> None:
        """A prefix is text, not a folder: it may end within a name, and may itself be a key."""
        for key in self.KEYS:
            await put(store, base + key, b"x")
        expected = sorted(base + key for key in self.KEYS)
        for prefix in [
            "a",
            "a.",
            "b",
            "b/",
            "b/1",
            "b/c",
            "b/c/",
            "b/c/e/f",
            "b/c/e/f/",
            "bb/é",
            "none",
            "b//",
            "b/../",
            ".",
            "../",
            "b/.c/x",
        ]:
            found = [key for key in expected if key.startswith(base + prefix)]
            assert await all_keys(store, base + prefix, limit=3) == found, prefix
            middle = base + "b/c"
            assert await all_keys(store, base + prefix, after=middle) == [key for key in found if key > middle], prefix

    @pytest.mark.slow
    async def test_long_lists_come_in_pages(self, store, base) -> None:
        """More than 1,000 objects are listed completely, without repetition, a page at a time."""
        keys = [f"{base}{n % 7}/{n:05d}" for n in range(1210)]
        for first in range(0, len(keys), 110):
            await asyncio.gather(*(put(store, key, b"") for key in keys[first : first + 110]))
        assert await all_keys(store, base) == sorted(keys)
        assert await all_keys(store, base, limit=500) == sorted(keys)
        assert await store.delete(keys[:1000]) == {}
        assert await all_keys(store, base) == sorted(keys[1000:])

    async def test_bad_pages_are_refused(self, store, base) -> None:
        """Pages have 1-1,000 objects and begin after something that could be a key."""
        for limit in (0, -1, 1001):
            with pytest.raises(BadInput, match="page"):
                await store.list(base, limit=limit)
        with pytest.raises(BadInput, match="key"):
            await store.list(base, after=base + "a//b")

    # --- delete ------------------------------------------------------------------------------------------------------

    async def test_delete_removes(self, store, back, base) -> None:
        """Deleted objects are gone from every view, others stay, and a missing one counts as deleted."""
        for key in ("a", "b/c", "b/d", "e"):
            await put(store, base + key, b"x")
        gone = [base + "a", base + "b/c", base + "missing", base + "none/at/all"]
        assert await store.delete(gone) == {}
        assert back.keys(base) == {base + "b/d", base + "e"}
        assert await all_keys(store, base) == [base + "b/d", base + "e"]
        with pytest.raises(NotFound):
            await store.head(base + "a")
        assert await store.delete(gone) == {}
        assert await store.delete([]) == {}

    async def test_delete_in_folders_within_folders(self, store, back, base) -> None:
        """One delete may take the last objects of a folder and of those in it."""
        keys = [f"{base}a/{name}" for name in ("1", "b/1", "b/2", "b/c/1", "b/c/d/1")]
        for key in keys:
            await put(store, key, b"x")
        assert await store.delete([*keys, base + "a/b/missing", base + "a/c/missing"]) == {}
        assert back.keys(base) == set()

    async def test_a_deleted_key_is_free(self, store, back, base) -> None:
        """After a delete the key can be put anew, with attributes of its own."""
        await put(store, base + "a/b", b"old", camera="old", only="old")
        await store.delete([base + "a/b"])
        await put(store, base + "a/b", b"new", camera="new")
        assert back.read(base + "a/b") == b"new"
        assert (await store.head(base + "a/b")).attributes == {"camera": "new"}

    async def test_too_many_deletes_are_refused(self, store, back, base) -> None:
        """More than 1,000 keys at once are refused, and none is removed."""
        await put(store, base + "a", b"x")
        with pytest.raises(BadInput, match="1001"):
            await store.delete([base + "a", *(f"{base}{n}" for n in range(1000))])
        assert back.keys(base) == {base + "a"}
