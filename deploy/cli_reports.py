"""`keepsight report`: what an authority asks for, for tables, for programs, and to print."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from deploy.cli_frame import By, Config, guarded, out, settings_of, shown, who, with_stores
from deploy.new_file import new_path, opened_new
from deploy.wiring import Stores
from retention.report import Order, Report, retention_report
from retention.report_forms import Form, written
from retention.report_words import Language
from segments.clock import SystemClock
from segments.errors import BadInput

app = typer.Typer(help="Reports on what is kept.", no_args_is_help=True)


@app.callback()
def reports() -> None:
    """Reports on what is kept."""


@app.command()
def retention(
    from_: Annotated[str, typer.Option("--from", help="The first day: 2026-10-01.")],
    to: Annotated[str, typer.Option(help="The day after the last: 2026-11-01. Default: today.")] = "",
    area: Annotated[str, typer.Option(help="Only cameras of this area, and below it.")] = "",
    format_: Annotated[Form, typer.Option("--format", help="html to print, csv for tables, json for programs.")] = Form.HTML,
    lang: Annotated[Language, typer.Option(help="Of the html: en or zh.")] = Language.ENGLISH,
    file: Annotated[str, typer.Option("--out", help="A new file. Default: standard output.")] = "-",
    by: By = "",
    config: Config = None,
) -> None:
    """How deep footage is and must be, storage-duration compliance, recording integrity and cameras online."""
    settings = settings_of(config)
    order = guarded(lambda: Order(_day(from_), _day(to) if to else None, area.strip("/"), None, settings.site.name, who(by)))
    if file != "-":
        guarded(lambda: new_path(file))

    async def make(stores: Stores) -> Report:
        with shown("report") as say:
            return await retention_report(
                order, index=stores.index, now_us=SystemClock().now_us(), say=lambda count: say(f"{count:,} cameras")
            )

    report = with_stores(settings, make)
    guarded(lambda: _write(report, file, format_, lang))
    if file != "-":
        out.print(f"{report.total.cameras} cameras in {file}", highlight=False, markup=False)


def _write(report: Report, file: str, form: Form, language: Language) -> None:
    with opened_new(file) as target:
        target.writelines(written(report, form, language))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no day: write it as 2026-10-01") from None
