"""Records that are removed, in every index."""

from __future__ import annotations

import pytest

from segments.errors import Conflict, NotFound
from segments.ports import Index
from tests.contract.index_retention_contract import a_record


class RemovalContract:
    """See `Records.remove_record` in segments/ports.py."""

    async def test_a_record_is_removed_as_it_was_seen(self, index: Index, second: Index) -> None:
        """One that has changed since stays; one that is gone may be removed again, and its id is free."""
        await index.put_record(a_record())
        changed = a_record().changed({"said": "more"})
        await second.put_record(changed)
        with pytest.raises(Conflict):
            await index.remove_record(a_record())
        assert await second.record("note", "n1") == changed
        for door in (index, second, index):
            await door.remove_record(changed)
        with pytest.raises(NotFound):
            await second.record("note", "n1")
        await second.put_record(a_record())
        assert list(await index.records("note")) == [a_record()]
