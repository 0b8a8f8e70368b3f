"""`keepsight exports`: the export jobs of a site, and whether an archive is as it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli_acts import changing
from deploy.cli_frame import Config, Exit, Json, guarded, out, print_json, settings_of, with_stores
from deploy.wiring import Stores
from playback.exports.job import Job, ended
from playback.exports.queue import ExportQueue
from playback.exports.views import view
from segments.clock import SystemClock, iso
from segments.errors import NotFound

app = typer.Typer(help="Export jobs: footage that is made into films and archives.", no_args_is_help=True)

ExportId = Annotated[str, typer.Argument(help="The job's id.")]


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """All jobs that are remembered, the newest first."""
    jobs = with_stores(settings_of(config), lambda stores: _queue(stores).jobs())
    if json:
        print_json([view(job).model_dump(by_alias=True) for job in jobs])
        return
    table = Table("id", "asked", "by", "state", "progress", "cameras", "said")
    for job in jobs:
        by = " ".join(filter(None, (job.name or job.subject, job.unit)))
        table.add_row(job.id, iso(job.asked_us), by, job.state, f"{job.progress:.0%}", ", ".join(job.cameras), job.said)
    out.print(table)


@app.command()
def show(export: ExportId, config: Config = None) -> None:
    """One job, as JSON."""
    print_json(view(with_stores(settings_of(config), lambda stores: _job(stores, export))).model_dump(by_alias=True))


@app.command()
def cancel(export: ExportId, config: Config = None) -> None:
    """End a job that waits or runs; let the result of one that is done go. The program removes what was made within a minute."""

    async def end(stores: Stores) -> Job:
        await _job(stores, export)
        return await _queue(stores).change(export, lambda job: ended(job, SystemClock().now_us()))

    job = changing(settings_of(config), f"ended export {export}", end)
    out.print(f"export {job.id} is {job.state}", highlight=False, markup=False)


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="An archive (zip) of an export.")], json: Json = False) -> None:
    """Check an archive against its manifest, anywhere and without the service. Exit code 1 if anything differs."""
    from playback.exports.verify import verify_archive

    found = guarded(lambda: verify_archive(file))
    if json:
        print_json(found._asdict())
    else:
        for sentence in found.wrong:
            out.print(sentence, highlight=False, markup=False)
        verdict = "all as in its manifest" if not found.wrong else f"{len(found.wrong)} things are wrong"
        out.print(f"export {found.export}: {found.files} files, {verdict}; SHA-256 {found.sha256}", highlight=False, markup=False)
    if found.wrong:
        raise typer.Exit(Exit.FINDINGS)


def _queue(stores: Stores) -> ExportQueue:
    return ExportQueue(stores.index, SystemClock())


async def _job(stores: Stores, export: str) -> Job:
    try:
        return await _queue(stores).job(export)
    except NotFound:
        raise NotFound(f"there is no export {export}") from None
