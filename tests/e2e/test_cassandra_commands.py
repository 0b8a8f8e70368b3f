"""`keepsight` with its index in a real Cassandra: the schema is applied by a command, and the others use what it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import PASSWORD, URL, Keepsight
from tests.servers.cassandra import CassandraServer

pytestmark = pytest.mark.server


@pytest.fixture
def keepsight(tmp_path: Path, cassandra: CassandraServer) -> Keepsight:
    """The command on a keyspace that is not there yet."""
    command = Keepsight(tmp_path)
    command.configure(
        f'[index]\nkind = "cassandra"\nhosts = ["127.0.0.1"]\nport = {cassandra.port}\n'
        f'datacenter = "{cassandra.site.datacenter}"\nkeyspace = "{tmp_path.name.replace("-", "_")}"\n'
    )
    return command


def test_a_site_is_made_and_used(keepsight: Keepsight) -> None:
    """Refused without a schema, which status says and apply makes, again if one likes; then the archive lies in Cassandra."""
    assert "run `keepsight schema apply`" in keepsight.refused("camera", "list", code=3)
    before = keepsight.json("schema", "status", code=1)
    assert (before["have"], before["want"] > 0) == (0, True)
    for _ in range(2):
        assert f"has schema {before['want']}" in keepsight("schema", "apply").stdout
    assert keepsight.json("schema", "status") == before | {"have": before["want"]}
    keepsight("camera", "add", "gate", URL, "area=harbour/east")
    assert keepsight.cameras() == ["gate"]
    assert keepsight.credential("gate") == PASSWORD


def test_an_index_that_is_away_is_said(keepsight: Keepsight) -> None:
    """No server at that port: exit code 4 and where it was looked for."""
    keepsight.config.write_text(keepsight.config.read_text().replace('hosts = ["127.0.0.1"]', 'hosts = ["127.0.0.3"]'))
    assert "127.0.0.3" in keepsight.refused("camera", "list", code=4)


def test_an_embedded_index_needs_no_command(tmp_path: Path) -> None:
    """`schema` of a SQLite index is wrong input, and the sentence says why."""
    assert "by itself" in Keepsight(tmp_path).refused("schema", "apply", code=2)
