"""`keepsight timeline`, `play`, `export` and `status`: what was recorded, and getting at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer
from rich.table import Table

from deploy.cli_frame import CameraId, Config, Exit, Json, guarded, moment_us, out, print_json, settings_of, with_stores
from deploy.settings import Settings
from deploy.tls import trust_in_own_api
from deploy.wiring import Stores, api_token
from segments.clock import US_PER_S, SystemClock, iso
from segments.errors import BadInput, NotFound, Refused, TryAgain
from segments.model import Span

From = Annotated[
    str, typer.Option("--from", help="Start: 2026-01-31T08:00:00Z, or without zone in this machine's own time. Default: an hour ago.")
]
To = Annotated[str, typer.Option("--to", help="End. Default: now.")]

API_TIMEOUT_S = 30.0


def timeline(camera: CameraId, from_: From = "", to: To = "", json: Json = False, config: Config = None) -> None:
    """Footage of a camera, and gaps with their causes. Asks the running service."""
    settings = settings_of(config)
    span = guarded(lambda: span_of(from_, to))
    answer = guarded(lambda: _ask(settings, f"/cameras/{quote(camera)}/timeline", {"from": iso(span.start_us), "to": iso(span.end_us)}))
    if json:
        print_json(answer)
        return
    table = Table("from", "to", "what", "why")
    for item in answer["spans"]:
        footage = item["kind"] == "footage"
        table.add_row(item["from"], item["to"], item["kind"], item["codecs"] if footage else f"{item['cause']} {item.get('detail') or ''}")
    for bucket in answer["buckets"]:
        table.add_row(bucket["from"], "", f"footage {bucket['footage_s']} s, gap {bucket['gap_s']} s", bucket["cause"] or "")
    out.print(table)


def play(
    camera: CameraId, at: Annotated[str, typer.Option(help="Moment to play from. Default: a minute ago.")] = "", config: Config = None
) -> None:
    """Print the addresses under which a camera's footage plays: the page, and HLS for any player."""
    settings = settings_of(config)
    now_us = SystemClock().now_us()
    start_us = guarded(lambda: moment_us(at)) if at else now_us - 60 * US_PER_S
    base = settings.api_url
    guarded(lambda: _ask(settings, f"/cameras/{quote(camera)}", {}))
    query = f"from={iso(start_us)}&to={iso(start_us + 3600 * US_PER_S)}"
    out.print(f"page  {base}/#/camera/{quote(camera)}/at/{iso(start_us)}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"HLS   {base}/api/v1/cameras/{quote(camera)}/hls/multivariant.m3u8?{query}", highlight=False, markup=False, soft_wrap=True)


def export(
    camera: CameraId,
    file: Annotated[Path, typer.Argument(help="Where to write the mp4; several files get -1, -2... where the codec changed.")],
    from_: From = "",
    to: To = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Write a span as playable mp4, byte for byte as it was stored, with a manifest beside it."""
    from deploy.export import Written, export_footage
    from deploy.peers import open_peers
    from replication.elsewhere import PeerElsewhere
    from replication.namesakes import but_namesakes

    settings = settings_of(config)
    span = guarded(lambda: span_of(from_, to))

    async def exported(stores: Stores) -> list[Written]:
        clock = SystemClock()
        async with open_peers(settings) as peers:
            others = PeerElsewhere(but_namesakes(peers, stores.index, clock), clock)
            return await export_footage(stores, camera, span, file, elsewhere=others)

    written = with_stores(settings, exported)
    if json:
        print_json([item.as_json() for item in written])
        return
    for item in written:
        out.print(f"{item.path}: {item.size_bytes} bytes; {item.manifest}", highlight=False, markup=False)


def status(json: Json = False, config: Config = None) -> None:
    """What the running service is doing: cameras by state, fragments by state, spool, alarms."""
    answer = guarded(lambda: _ask(settings_of(config), "/status", {}))
    if json:
        print_json(answer)
    else:
        for name, value in answer.items():
            out.print(f"{name:>10}  {_words(value)}", highlight=False, markup=False)
    if answer.get("alarms"):
        raise typer.Exit(Exit.FINDINGS)


def span_of(from_: str, to: str) -> Span:
    """The span of two options; raises BadInput if it is empty or turned round."""
    end_us = moment_us(to) if to else SystemClock().now_us()
    start_us = moment_us(from_) if from_ else end_us - 3600 * US_PER_S
    if start_us >= end_us:
        raise BadInput(f"--from {iso(start_us)} does not lie before --to {iso(end_us)}")
    return Span(start_us, end_us)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(str(item.get("text", item)) if isinstance(item, dict) else str(item) for item in value) or "none"
    return str(value)


def _ask(settings: Settings, path: str, query: Mapping[str, str]) -> Any:
    """An answer of the running service's API.

    Raises TryAgain if it does not run, Refused if it wants another token, NotFound and BadInput with its own words.
    """
    token = api_token(settings)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    base = settings.api_url
    try:
        with httpx2.Client(timeout=API_TIMEOUT_S, trust_env=False, verify=trust_in_own_api(settings) or True) as client:
            answer = client.get(f"{base}/api/v1{path}", params=query, headers=headers)
        said = answer.json()
    except httpx2.HTTPError as error:
        raise TryAgain(f"no service answers at {base} ({type(error).__name__}); start it with `keepsight serve`") from None
    except ValueError:
        raise TryAgain(f"what answers at {base} is no Keepsight; look at api.port") from None
    if answer.status_code == 200:
        return said
    words = str(said.get("detail") or said.get("title")) if isinstance(said, dict) else f"it answers {answer.status_code}"
    raise _REFUSALS.get(answer.status_code, TryAgain if answer.status_code >= 500 else BadInput)(words)


_REFUSALS = {401: Refused, 403: Refused, 404: NotFound, 429: TryAgain}
