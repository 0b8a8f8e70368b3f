"""`keepsight camera`: the camera archive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deploy.archive import COLUMNS, BadLine, Entry, entry_of, read_archive
from deploy.cli_acts import changing
from deploy.cli_frame import CameraId, Config, Exit, Json, fail, guarded, out, print_json, settings_of, with_stores
from deploy.settings import Settings
from deploy.wiring import Stores, camera_sealer
from retention.camera_changes import change_camera, take_camera_out, tier_problem
from retention.policy_record import all_policies
from segments.clock import SystemClock, iso
from segments.errors import BadInput, Conflict
from segments.model import Camera, Credential
from segments.ports import CameraFilter

app = typer.Typer(help="The camera archive: add, list, show, test, set, remove, import.", no_args_is_help=True)

Url = Annotated[str, typer.Argument(help="Its URL; user and password in it are taken off and sealed.")]
Setting = Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help=f"Values to set: {', '.join(COLUMNS[1:])}.")]


@app.command()
def add(camera: CameraId, url: Url, values: Setting = None, config: Config = None) -> None:
    """Add a camera: keepsight camera add gate rtsp://user:password@192.168.1.20/stream name=Gate class=1 area=harbour/east"""
    settings = settings_of(config)
    entry = guarded(lambda: _entry({**_pairs(values), "id": camera, "url": url}, settings))
    changing(settings, f"added camera {camera}", lambda stores: _add([entry], settings, stores), cameras=[camera])
    out.print(f"camera {camera} added; a running service records it within seconds", highlight=False)


@app.command("list")
def list_(
    area: Annotated[str, typer.Option(help="Only this area and those below it.")] = "",
    camera_class: Annotated[int | None, typer.Option("--class", help="Only this class.", min=1, max=3)] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """List cameras."""
    cameras = with_stores(settings_of(config), lambda stores: _all(stores, CameraFilter(camera_class, area)))
    if json:
        print_json([_plain(camera) for camera in cameras])
        return
    table = Table("id", "name", "class", "area", "url", "enabled")
    for camera in cameras:
        table.add_row(camera.id, camera.name, str(camera.camera_class), camera.area, camera.url, "yes" if camera.enabled else "no")
    out.print(table)


@app.command()
def show(camera: CameraId, json: Json = False, config: Config = None) -> None:
    """Show a camera and what it is doing now."""

    async def read(stores: Stores) -> dict[str, object]:
        found = await stores.index.camera(camera)
        state = await stores.index.state_before(camera, SystemClock().now_us())
        sealed = await stores.index.credential(camera)
        doing = {"state": state.state, "cause": state.cause, "since_us": state.at_us, "detail": state.detail} if state is not None else None
        return {**_plain(found), "credential": sealed is not None, "state": doing}

    values = with_stores(settings_of(config), read)
    if json:
        print_json(values)
        return
    for name, value in values.items():
        out.print(f"{name:>14}  {value}", highlight=False, markup=False)


@app.command("test")
def try_out(
    camera: CameraId,
    seconds: Annotated[float, typer.Option(help="How long to look.", min=0.5, max=600)] = 5.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Open a camera, look at its stream for some seconds, and say what it sends. Nothing is recorded."""
    from deploy.camera_test import try_camera

    settings = settings_of(config)
    found, credential = with_stores(settings, lambda stores: _camera_and_credential(stores, settings, camera))
    report = guarded(lambda: asyncio.run(try_camera(found, credential, settings, seconds)))
    if json:
        print_json(report.as_json())
    else:
        out.print(report.sentence(), highlight=False, markup=False)
    if not report.fine:
        raise typer.Exit(Exit.FINDINGS)


@app.command("set")
def set_(camera: CameraId, values: Setting = None, config: Config = None) -> None:
    """Change values of a camera: keepsight camera set gate name="North gate" sound=omit"""
    settings = settings_of(config)
    pairs = guarded(lambda: _pairs(values))
    if not pairs:
        fail(f"nothing to set; values are {', '.join(COLUMNS[1:])}", Exit.BAD_INPUT)

    async def change(stores: Stores) -> int:
        present = await _own_camera(stores, camera)
        entry = _entry({**_as_text(present), **pairs, "id": camera}, settings)
        changed, days = replace(entry.camera, added_us=present.added_us), settings.retention.notice_days
        until_us = await change_camera(stores.index, present, changed, now_us=SystemClock().now_us(), notice_days=days)
        if entry.credential is not None:
            await stores.index.put_credential(camera, camera_sealer(settings).seal(camera, entry.credential))
        return until_us

    until_us = changing(settings, f"changed {', '.join(pairs)} of camera {camera}", change, cameras=[camera])
    notice = f"; for its footage what it was counts, too, until {iso(until_us)}" if until_us else ""
    out.print(f"camera {camera} changed{notice}", highlight=False)


@app.command()
def remove(camera: CameraId, config: Config = None) -> None:
    """Take a camera out of the archive. Its footage stays as long as its rules say."""

    async def take_out(stores: Stores) -> None:
        await _own_camera(stores, camera)
        await take_camera_out(stores.index, camera, now_us=SystemClock().now_us())
        await stores.index.remove_credential(camera)

    changing(settings_of(config), f"removed camera {camera}", take_out, cameras=[camera])
    out.print(f"camera {camera} removed; its footage stays", highlight=False)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help=f"CSV with a header; columns: {', '.join(COLUMNS)}. - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Add all cameras of a CSV file, or none: every bad line is named with its reason."""
    settings = settings_of(config)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read as UTF-8 text: {error}", Exit.BAD_INPUT)
    entries, bad = read_archive(text, now_us=SystemClock().now_us())
    bad += [
        BadLine(0, f"camera {entry.camera.id}: {_pool_problem(entry, settings)}") for entry in entries if _pool_problem(entry, settings)
    ]
    bad += with_stores(settings, lambda stores: _taken(stores, entries))
    bad += with_stores(settings, lambda stores: _tierless(stores, entries))
    if not bad and not dry_run:
        changing(settings, f"imported {len(entries)} cameras", lambda stores: _add(entries, settings, stores))
    if json:
        print_json({"cameras": len(entries), "added": 0 if bad or dry_run else len(entries), "bad": [asdict(line) for line in bad]})
    elif bad:
        for line in bad:
            out.print(f"line {line.line}: {line.reason}" if line.line else line.reason, highlight=False, markup=False)
        out.print(f"nothing was added: {len(bad)} of the lines are wrong", style="red")
    else:
        out.print(f"{len(entries)} cameras {'would be' if dry_run else 'were'} added", highlight=False)
    if bad:
        raise typer.Exit(Exit.BAD_INPUT)


# --- parts ---


def _pairs(values: list[str] | None) -> dict[str, str]:
    pairs = {}
    for value in values or ():
        name, equals, text = value.partition("=")
        if not equals or name not in COLUMNS[1:]:
            raise BadInput(f"{name!r} is not one of the values {', '.join(COLUMNS[1:])}; write NAME=VALUE")
        pairs[name] = text
    return pairs


def _entry(values: dict[str, str], settings: Settings) -> Entry:
    entry = entry_of(values, now_us=SystemClock().now_us())
    if problem := _pool_problem(entry, settings):
        raise BadInput(problem)
    return entry


async def _own_camera(stores: Stores, camera: str) -> Camera:
    """A camera of this site: what is changed of another's would be undone by its archive."""
    found = await stores.index.camera(camera)
    if found.home:
        raise BadInput(f"camera {camera} is one of site {found.home}: change it there")
    return found


def _pool_problem(entry: Entry, settings: Settings) -> str:
    known = not entry.camera.pool or entry.camera.pool in settings.pools
    return "" if known else f"pool: {entry.camera.pool!r} is not one of the configured pools {', '.join(sorted(settings.pools))}"


async def _add(entries: list[Entry], settings: Settings, stores: Stores) -> None:
    """Adds all, or takes back what it added. A camera is never seen by a recorder without the password it came with."""
    sealer = camera_sealer(settings)
    if taken := await _taken(stores, entries):
        raise Conflict(f"{taken[0].reason}; change it with `keepsight camera set`")
    if tierless := await _tierless(stores, entries):
        raise BadInput(tierless[0].reason)
    async with AsyncExitStack() as back:
        for entry in entries:
            camera, credential = entry.camera, entry.credential
            if credential is not None:
                back.push_async_callback(stores.index.remove_credential, camera.id)
                await stores.index.put_credential(camera.id, sealer.seal(camera.id, credential))
            await stores.index.add_camera(camera)
            back.push_async_callback(stores.index.remove_camera, camera.id)
        back.pop_all()


async def _taken(stores: Stores, entries: list[Entry]) -> list[BadLine]:
    wanted = {entry.camera.id for entry in entries}
    present = {camera.id async for camera in _each(stores, CameraFilter())} if wanted else set()
    return [BadLine(0, f"camera {id_} is in the archive already") for id_ in sorted(wanted & present)]


async def _tierless(stores: Stores, entries: list[Entry]) -> list[BadLine]:
    policies, now_us = await all_policies(stores.index), SystemClock().now_us()
    problems = ((entry.camera.id, tier_problem(policies, entry.camera.tier, now_us)) for entry in entries)
    return [BadLine(0, f"camera {id_}: {problem}") for id_, problem in problems if problem]


async def _all(stores: Stores, only: CameraFilter) -> list[Camera]:
    return [camera async for camera in _each(stores, only)]


async def _each(stores: Stores, only: CameraFilter) -> AsyncIterator[Camera]:
    after: str | None = ""
    while after is not None:
        page = await stores.index.cameras(only, after=after)
        for camera in page.items:
            yield camera
        after = page.next


async def _camera_and_credential(stores: Stores, settings: Settings, camera: str) -> tuple[Camera, Credential | None]:
    found = await stores.index.camera(camera)
    sealed = await stores.index.credential(camera)
    return found, None if sealed is None else camera_sealer(settings).open(camera, sealed)


def _plain(camera: Camera) -> dict[str, object]:
    values = asdict(camera)
    values["class"] = values.pop("camera_class")
    values["tags"] = list(camera.tags)
    return values


def _as_text(camera: Camera) -> dict[str, str]:
    values = {name: "" if value is None else str(value) for name, value in _plain(camera).items() if name in COLUMNS}
    flags = {"enabled": camera.enabled, "trust_clock": camera.trust_clock, "twice": camera.twice}
    return {**values, "tags": ";".join(camera.tags), **{name: str(value).lower() for name, value in flags.items()}}
