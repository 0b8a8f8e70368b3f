"""The schema of the index in Cassandra: steps in files, applied by one process at a time, and what a start finds of them.

A step is claimed by a conditional write that runs out by itself, its statements are run (each may be run again), and it is written down as
done. So a process that is killed in the middle leaves a step that the next one runs again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from uuid import NAMESPACE_DNS, uuid4, uuid5

from segments.errors import StartRefused, TryAgain
from segments.stores.cassandra_session import CassandraSession, CassandraSettings, open_session

CLAIM_S = 60
"""So long a step is another's after its last statement began; more than any may take."""

_HAS_STEPS = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_step'"
_APPLY = "run `keepsight schema apply` once for the site"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The newest schema step the keyspace has (0: none, or no keyspace), and the newest this program knows."""

    have: int
    want: int


def schema_steps() -> list[tuple[int, str]]:
    """The schema steps of this program: number and CQL, in order. A step is a file that is never edited after its release."""
    folder = resources.files("segments.stores") / "cassandra"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".cql")), key=lambda file: file.name)
    return [(int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in files]


async def apply_schema(settings: CassandraSettings, replication: Mapping[str, int], steps: Sequence[tuple[int, str]] = ()) -> SchemaStatus:
    """Makes the keyspace, with so many copies by data centre, and brings its tables up to date; may be run again and by several at once.

    A keyspace that is there keeps its copies. Raises StartRefused for a login that may not do it, a data centre that is not there and a
    schema of a newer program; TryAgain if the servers do not answer or agree.
    """
    wanted = steps or schema_steps()
    session = await open_session(settings)
    try:
        await _make_keyspace(session, replication)
        _refuse_newer(await _newest(session), wanted[-1][0], settings)
        for number, text in wanted:
            await _apply(session, number, text)
        return SchemaStatus(await _newest(session), wanted[-1][0])
    finally:
        await session.close()


async def schema_status(settings: CassandraSettings) -> SchemaStatus:
    """What the keyspace has; raises as `apply_schema` does."""
    session = await open_session(settings)
    try:
        return await status_of(session)
    finally:
        await session.close()


async def status_of(session: CassandraSession) -> SchemaStatus:
    """The same over an open session."""
    made = await session.read(_HAS_STEPS, (session.settings.keyspace,))
    return SchemaStatus(await _newest(session) if made else 0, schema_steps()[-1][0])


def refuse_unfit(status: SchemaStatus, settings: CassandraSettings) -> None:
    """Raises StartRefused unless the schema is this program's own."""
    _refuse_newer(status.have, status.want, settings)
    if status.have < status.want:
        found = f"has schema {status.have}, and this program needs {status.want}" if status.have else "has no schema yet"
        raise StartRefused(f"the index {settings.keyspace} at {settings.where} {found}: {_APPLY}")


def _refuse_newer(have: int, want: int, settings: CassandraSettings) -> None:
    if have > want:
        raise StartRefused(
            f"the index {settings.keyspace} at {settings.where} is of a newer program (schema {have}; this one knows {want}): "
            f"start the newer program, or name another keyspace and rebuild the index from the pool"
        )


# --- steps -------------------------------------------------------------------------------------------------------------


async def _make_keyspace(session: CassandraSession, replication: Mapping[str, int]) -> None:
    missing = sorted(set(replication) - session.datacenters())
    if missing:
        raise StartRefused(f"index.replication names {', '.join(missing)}; the index has {', '.join(sorted(session.datacenters()))}")
    name = session.settings.keyspace
    copies = "".join(f", '{datacenter}': {count}" for datacenter, count in sorted(replication.items()))
    await session.define(f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {{'class': 'NetworkTopologyStrategy'{copies}}}")
    # Two processes that make a table at once would make two of one name; with an id given they make the same.
    await session.define(
        "CREATE TABLE IF NOT EXISTS schema_step (site int, number int, holder uuid, done boolean, PRIMARY KEY (site, number)) "
        f"WITH id = {uuid5(NAMESPACE_DNS, f'{name}.schema-step')}"
    )


async def _newest(session: CassandraSession) -> int:
    rows = await session.read_serial("SELECT number, done FROM schema_step WHERE site = 0")
    return max((number for number, done in rows if done), default=0)


async def _apply(session: CassandraSession, number: int, text: str) -> None:
    """Runs a step that is not done, once nobody else is at it."""
    holder = uuid4()
    claim = f"INSERT INTO schema_step (site, number, holder) VALUES (0, ?, ?) IF NOT EXISTS USING TTL {CLAIM_S}"
    for _ in range(2 * CLAIM_S):
        if await session.compare_and_set(claim, (number, holder)):
            break
        if await _is_done(session, number):
            return
        await asyncio.sleep(1)
    else:
        raise TryAgain(f"another process has been at schema step {number} for {2 * CLAIM_S} s")
    keep = f"UPDATE schema_step USING TTL {CLAIM_S} SET holder = ? WHERE site = 0 AND number = ? IF holder = ?"
    for statement in statements(text):
        if not await session.compare_and_set(keep, (holder, number, holder)):
            raise TryAgain(f"another process has taken schema step {number} over")
        await session.define(statement)
    await session.compare_and_set("UPDATE schema_step SET done = true WHERE site = 0 AND number = ? IF done != true", (number,))


async def _is_done(session: CassandraSession, number: int) -> bool:
    rows = await session.read_serial("SELECT done FROM schema_step WHERE site = 0 AND number = ?", (number,))
    return bool(rows and rows[0][0])


def statements(text: str) -> list[str]:
    """The statements of a step one by one; what follows -- is for people, and no text of ours holds a semicolon."""
    lines = (line.split("--")[0].rstrip() for line in text.splitlines())
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
