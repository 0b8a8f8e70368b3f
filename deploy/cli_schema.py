"""`keepsight schema apply` and `schema status`: the tables of an index in Cassandra."""

from __future__ import annotations

import asyncio

import typer

from deploy.cli_frame import Config, Exit, Json, guarded, out, print_json, settings_of
from deploy.cluster_index import apply_index_schema, index_schema_status
from deploy.settings import CassandraIndexSettings, Settings
from segments.errors import BadInput

app = typer.Typer(help="The tables of an index in Cassandra.", no_args_is_help=True)


@app.command("apply")
def apply_(config: Config = None) -> None:
    """Make the keyspace and its tables, or bring them up to date: once for a site, and before a newer program is started.

    May be run again and by several at once. Programs of the schema before go on meanwhile.
    """
    index = guarded(lambda: _index_of(settings_of(config)))
    status = guarded(lambda: asyncio.run(apply_index_schema(index)))
    out.print(f"keyspace {index.keyspace} has schema {status.have}", highlight=False)


@app.command("status")
def status_(
    json: Json = False,
    config: Config = None,
) -> None:
    """Which schema the keyspace has, and which this program needs. Exit code 1 if they differ."""
    index = guarded(lambda: _index_of(settings_of(config)))
    status = guarded(lambda: asyncio.run(index_schema_status(index)))
    if json:
        print_json({"keyspace": index.keyspace, "have": status.have, "want": status.want})
    else:
        found = f"schema {status.have}" if status.have else "no schema"
        out.print(f"keyspace {index.keyspace} has {found}; this program needs {status.want}", highlight=False)
    if status.have != status.want:
        raise typer.Exit(Exit.FINDINGS)


def _index_of(settings: Settings) -> CassandraIndexSettings:
    if not isinstance(settings.index, CassandraIndexSettings):
        raise BadInput(f"the index is {settings.index.kind}, which brings its tables up to date by itself when it is opened")
    return settings.index
