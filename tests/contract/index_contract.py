"""What every index promises; adapters inherit the suite and say how they are opened."""

from __future__ import annotations

from tests.contract.index_archive_contract import BatchesContract, CamerasContract, LeasesContract
from tests.contract.index_footage_contract import RowsContract, RunsContract, StatesContract


class IndexContract(RowsContract, RunsContract, StatesContract, BatchesContract, CamerasContract, LeasesContract):
    """All of `Index`. An adapter's tests inherit this and have two fixtures: `index`, empty, and `second`, another door to the same."""
