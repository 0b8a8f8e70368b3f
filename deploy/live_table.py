"""What a running service is doing, for a terminal: per camera its state, bytes and last fragment; fragments by state; alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.hls_reader import Entry, read_media_playlist
from segments.clock import US_PER_S, iso, to_datetime
from segments.errors import TryAgain

LINES_EVERY_S = 5
"""How often plain lines are written where there is no terminal."""

_LOOK_BACK_US = 3600 * US_PER_S
_SAME_US = 5_000
"""Two entries whose starts are so near are the same one: playlists round to milliseconds."""
_STYLES = {"recording": "green", "connecting": "yellow", "waiting": "red", "stopped": "dim"}


@dataclass(frozen=True, slots=True)
class CameraLine:
    """One camera as it is now; `last_us` is the end of its last fragment, 0 if it has none."""

    id: str
    name: str
    state: str
    why: str
    footage_bytes: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The whole service at a moment."""

    now_us: int
    cameras: Sequence[CameraLine]
    fragments: Mapping[str, int]
    spool: Mapping[str, int]
    alarms: Sequence[str]


@dataclass(slots=True)
class _Tally:
    """The footage of a camera, added up as it comes."""

    footage_bytes: int = 0
    last_start_us: int = 0
    last_us: int = 0

    def add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.start_us > self.last_start_us + _SAME_US:
                self.footage_bytes += entry.length
                self.last_start_us, self.last_us = entry.start_us, entry.end_us


class Watcher:
    """Looks at a service through its API. `client` has the API's address as its base; footage counts from `since_us` on."""

    def __init__(self, client: httpx2.AsyncClient, since_us: int) -> None:
        self._client = client
        self._since_us = since_us
        self._tallies: dict[str, _Tally] = {}

    async def look(self, now_us: int) -> Moment:
        """The service now; raises TryAgain if it does not answer."""
        status = await self._get("status")
        cameras = await self._get("cameras")
        lines = [await self._line(camera, now_us) for camera in cameras["cameras"]]
        return Moment(now_us, lines, status["fragments"], status["spool"], status["alarms"])

    async def _line(self, camera: Mapping[str, Any], now_us: int) -> CameraLine:
        tally = self._tallies.setdefault(camera["id"], _Tally())
        start_us = max(tally.last_us, self._since_us, now_us - _LOOK_BACK_US)
        if start_us + US_PER_S < now_us:
            query = {"from": iso(start_us), "to": iso(now_us)}
            answer = await _answer(self._client.get(f"cameras/{camera['id']}/hls/media.m3u8", params=query))
            if answer.status_code == 200:
                tally.add(read_media_playlist(answer.text))
        state = camera["state"]
        why = state["detail"] or state["cause"] or ""
        return CameraLine(camera["id"], camera["name"], state["state"], why, tally.footage_bytes, tally.last_us)

    async def _get(self, path: str) -> Any:
        answer = await _answer(self._client.get(path))
        if answer.status_code != 200:
            raise TryAgain(f"the service answers {answer.status_code} to {path}")
        return answer.json()


async def _answer(asked: Any) -> httpx2.Response:
    try:
        answer: httpx2.Response = await asked
    except httpx2.HTTPError as error:
        raise TryAgain(f"the service does not answer ({type(error).__name__})") from None
    return answer


@contextmanager
def shown(console: Console, page: str) -> Iterator[Callable[[Moment], None]]:
    """Gives what shows a moment: as one table that lives on a terminal, else as lines every LINES_EVERY_S."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda moment: live.update(table(moment, page), refresh=True)
        return
    written_us = 0

    def write(moment: Moment) -> None:
        nonlocal written_us
        if moment.now_us - written_us >= LINES_EVERY_S * US_PER_S:
            written_us = moment.now_us
            for line in plain_lines(moment):
                console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield write


def table(moment: Moment, page: str) -> RenderableType:
    """A moment as a table."""
    cameras = Table("camera", "state", "footage", "last fragment", "", title=f"watch: {page}", title_justify="left", title_style="bold")
    for line in moment.cameras:
        state = Text(line.state, style=_STYLES.get(line.state, ""))
        name, why = f"{line.id}  [dim]{line.name}[/]", Text(line.why, style="dim")
        cameras.add_row(name, state, _size(line.footage_bytes), _last(line, moment.now_us), why)
    below = [Text(_counts(moment), style="dim"), *(Text(f"! {alarm}", style="red") for alarm in moment.alarms)]
    return Group(cameras, *below)


def plain_lines(moment: Moment) -> list[str]:
    """A moment as lines: one a camera, one of counts, one an alarm."""
    time = _clock(moment.now_us)
    lines = []
    for line in moment.cameras:
        footage = f"{_size(line.footage_bytes):>9}  last fragment {_last(line, moment.now_us)}"
        lines.append(f"{time} {line.id:<8} {line.state:<10} {footage}  {line.why}".rstrip())
    return [*lines, f"{time} {_counts(moment)}", *(f"{time} ! {alarm}" for alarm in moment.alarms)]


def _counts(moment: Moment) -> str:
    states = ", ".join(f"{count} {state}" for state, count in moment.fragments.items()) or "none"
    return f"fragments: {states} · spool {_size(moment.spool.get('bytes', 0))}"


def _last(line: CameraLine, now_us: int) -> str:
    return f"{_clock(line.last_us)} ({max(0, now_us - line.last_us) / US_PER_S:.0f} s ago)" if line.last_us else "none yet"


def _clock(us: int) -> str:
    return to_datetime(us).astimezone().strftime("%H:%M:%S")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
