"""`keepsight quota` and `keepsight metering`: how much each consumer may ask for, and what they took."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli_acts import registered
from deploy.cli_frame import By, Config, Json, day_of_text, guarded, out, print_json, settings_of, with_stores
from deploy.cli_frame import who as name_of
from deploy.wiring import Stores
from playback.consumers.allowance import NAMES, QUOTA, quota_id, quota_values
from playback.consumers.metering import Metering
from playback.consumers.routes import checked_days
from playback.consumers.usage import Used
from segments.clock import SystemClock, day_of
from segments.errors import NotFound
from segments.record import Record, new_record

app = typer.Typer(help="How much each consumer (a person, or a key of a platform) may ask for.", no_args_is_help=True)

Consumer = Annotated[str, typer.Argument(help="Id of the subject, as `keepsight metering` shows it: key:..., user:...")]


@app.command("set")
def set_(
    consumer: Consumer,
    requests_per_s: Annotated[float | None, typer.Option(min=0, help="Requests a second; 0, here and below: no limit.")] = None,
    streams: Annotated[int | None, typer.Option(min=0, help="Streams played at once.")] = None,
    bytes_per_s: Annotated[int | None, typer.Option(min=0, help="Bytes of footage a second.")] = None,
    export_hours_per_day: Annotated[float | None, typer.Option(min=0, help="Hours of footage exported in a UTC day.")] = None,
    timeline_days_per_minute: Annotated[float | None, typer.Option(min=0, help="Days of timelines asked for in a minute.")] = None,
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Set the limits of one consumer: those that are not said here are the settings' own. It binds within two seconds."""
    said = (requests_per_s, streams, bytes_per_s, export_hours_per_day, timeline_days_per_minute)
    limits = {name: value for name, value in zip(NAMES, said, strict=True) if value is not None}
    settings = settings_of(config)
    person = guarded(lambda: name_of(by))
    values = guarded(lambda: quota_values(consumer, limits, person))

    async def work(stores: Stores) -> Record:
        try:
            record = (await stores.index.record(QUOTA, quota_id(consumer))).changed(values)
        except NotFound:
            record = new_record(QUOTA, quota_id(consumer), values)
        what = f"set the quota of {consumer}: {_text(record)}"
        await registered(settings, stores, person, what, "", lambda: stores.index.put_record(record))
        return record

    record = with_stores(settings, work)
    if json:
        print_json(record.values)
    else:
        out.print(f"{consumer}: {_text(record)}", highlight=False)


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """Show the consumers that have limits of their own."""
    found = [one for one in with_stores(settings_of(config), lambda stores: stores.index.records(QUOTA)) if one.values["limits"]]
    if json:
        print_json([one.values for one in found])
        return
    table = Table("consumer", "limits", "set by")
    for one in found:
        table.add_row(one.values["subject"], _text(one), one.values["by"])
    out.print(table if found else "all consumers have the limits of the settings")


def metering(
    from_: Annotated[str, typer.Option("--from", help="First day (UTC): 2026-01-31; default: today.")] = "",
    to: Annotated[str, typer.Option("--to", help="The day after the last; default: tomorrow.")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Show what each consumer took: requests, and seconds and bytes played and exported. The last minute may be missing."""
    today = day_of(SystemClock().now_us())
    days = guarded(lambda: checked_days(day_of_text(from_) if from_ else today, day_of_text(to) if to else today + timedelta(days=1)))

    async def work(stores: Stores) -> dict[date, dict[str, Used]]:
        return await Metering(stores.index, SystemClock()).between(*days)

    found = with_stores(settings_of(config), work)
    rows: list[dict[str, Any]] = [
        {"day": str(day), "consumer": who} | asdict(used) for day, all_used in found.items() for who, used in sorted(all_used.items())
    ]
    if json:
        print_json(rows)
        return
    table = Table("day", "consumer", "requests", "refused", "played h", "played MB", "exported h", "exported MB")
    for row in rows:
        played, exported = (f"{row[what] / 3600:.2f}" for what in ("played_s", "exported_s"))
        played_mb, exported_mb = (f"{row[what] / 1e6:.1f}" for what in ("played_bytes", "exported_bytes"))
        table.add_row(row["day"], row["consumer"], str(row["requests"]), str(row["refused"]), played, played_mb, exported, exported_mb)
    out.print(table if rows else "nothing was taken")


def _text(record: Record) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in record.values["limits"].items()) or "the limits of the settings"
