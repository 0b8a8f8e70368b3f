"""The command `keepsight`.

Exit codes: 0 done; 1 done, and what was looked at is not as it should be; 2 wrong input; 3 refused to start; 4 no answer from a store,
an index or the service.

What only one command needs (web server, decoders) is imported by that command: `keepsight --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deploy import (
    cli_access,
    cli_audit,
    cli_backup,
    cli_cameras,
    cli_capacity,
    cli_copies,
    cli_doctor,
    cli_drill,
    cli_exports,
    cli_fleet,
    cli_footage,
    cli_give_back,
    cli_hold,
    cli_pools,
    cli_quota,
    cli_receipts,
    cli_reports,
    cli_retention,
    cli_schema,
    cli_scrub,
    cli_sensitive,
    cli_site,
    cli_store,
    cli_webhook,
)
from deploy.cli_frame import Config, config_path, out, settings_of
from deploy.fleet.child import run_until_told
from deploy.logs import set_up_logs

app = typer.Typer(
    name="keepsight",
    help="Record cameras, keep the footage as long as the rules say, play it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_cameras.app, name="camera")
app.add_typer(cli_access.user_app, name="user")
app.add_typer(cli_access.key_app, name="key")
app.add_typer(cli_fleet.app, name="fleet")
app.add_typer(cli_store.index_app, name="index")
app.add_typer(cli_store.config_app, name="config")
app.add_typer(cli_schema.app, name="schema")
app.add_typer(cli_pools.app, name="pools")
app.add_typer(cli_backup.app, name="backup")
app.command("restore")(cli_backup.restore_)
app.add_typer(cli_scrub.app, name="scrub")
app.add_typer(cli_retention.app, name="retention")
app.add_typer(cli_hold.app, name="hold")
app.add_typer(cli_sensitive.app, name="sensitive")
app.add_typer(cli_webhook.app, name="webhook")
app.add_typer(cli_quota.app, name="quota")
app.command("metering")(cli_quota.metering)
app.add_typer(cli_receipts.app, name="receipts")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_reports.app, name="report")
app.add_typer(cli_exports.app, name="exports")
app.add_typer(cli_site.app, name="site")
app.add_typer(cli_capacity.app, name="capacity")
cli_site.app.command("give-back")(cli_give_back.give_back_)
cli_site.app.command("lag")(cli_copies.lag)
cli_site.app.command("report")(cli_copies.report)
app.command("drill")(cli_drill.drill)
app.command("timeline")(cli_footage.timeline)
app.command("play")(cli_footage.play)
app.command("export")(cli_footage.export)
app.command("status")(cli_footage.status)
app.command("verify")(cli_store.verify_)
app.command("doctor")(cli_doctor.doctor)
app.command("api")(cli_fleet.api)


@app.command("serve")
def serve_(config: Config = None) -> None:
    """Run the whole service on this machine: recorders, uploader, API and page. Ends in order on Ctrl-C or SIGTERM.

    With fleet.kind ray: start the fleet in the Ray cluster, or adopt it, and run API and page here; the fleet goes on at the end.
    """
    from deploy.serve import serve

    settings = settings_of(config)
    set_up_logs("serve", settings.logs.format)
    out.print(f"page and API: {settings.api_url}/", highlight=False)
    whole = cli_fleet.serve_ray if settings.fleet.kind == "ray" else serve
    raise typer.Exit(run_until_told(lambda: whole(settings, config_path(config))))


@app.command()
def demo(
    for_: Annotated[
        str, typer.Option("--for", help="Stop after so long (60s, 5m) and check what was recorded; default: until Ctrl-C.")
    ] = "",
    cameras: Annotated[int, typer.Option(help="How many cameras.", min=1, max=16)] = 4,
) -> None:
    """Start a few cameras of its own, record them, serve the page, and show what is happening."""
    from deploy.demo import run_demo

    raise typer.Exit(run_demo(for_, cameras))


def main() -> None:
    """The entry point."""
    app()
