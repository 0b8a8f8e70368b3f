"""What every index promises; adapters inherit the suite and say how they are opened."""

from __future__ import annotations

from tests.contract.index_archive_contract import BatchesContract, CameraChangesContract, CamerasContract
from tests.contract.index_audit_contract import AuditContract
from tests.contract.index_duties_contract import LeasesContract, PlacesContract
from tests.contract.index_footage_contract import RowsContract, RunsContract, StatesContract
from tests.contract.index_history_contract import UsageHistoryContract
from tests.contract.index_partitions_contract import PartitionsContract
from tests.contract.index_removal_contract import RemovalContract
from tests.contract.index_retention_contract import BatchRowsContract, ReceiptsContract, RecordsContract, UnpublishContract
from tests.contract.index_usage_contract import UsageContract


class IndexContract(
    RowsContract,
    RunsContract,
    StatesContract,
    PartitionsContract,
    UsageContract,
    UsageHistoryContract,
    BatchesContract,
    BatchRowsContract,
    UnpublishContract,
    ReceiptsContract,
    RecordsContract,
    RemovalContract,
    AuditContract,
    CamerasContract,
    CameraChangesContract,
    LeasesContract,
    PlacesContract,
):
    """All of `Index`. An adapter's tests inherit this and have two fixtures: `index`, empty, and `second`, another door to the same."""
