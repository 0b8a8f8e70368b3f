"""Suites that every adapter of a port inherits."""

import pytest

pytest.register_assert_rewrite(
    "tests.contract.index_archive_contract",
    "tests.contract.index_duties_contract",
    "tests.contract.index_footage_contract",
    "tests.contract.index_partitions_contract",
    "tests.contract.object_contract",
)
