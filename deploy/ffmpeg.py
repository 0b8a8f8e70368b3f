"""Makes films anew with ffmpeg: a program of its own, without a shell or a network, bounded in memory, size and time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import tempfile
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from deploy.ffmpeg_command import FILM, LINE_FILE, MOST_STAMPS, Drawn, transcode_command
from playback.exports.job import Transcoding
from playback.exports.transcoder import Watermark
from segments.errors import BadInput, DataDamaged, TryAgain

MEMORY_BYTES = 3 << 30
"""Of addresses, for one ffmpeg; 4K from H.265 takes about 1 GiB of them."""
LIMIT_S = 12 * 3600.0
"""For one film, which is at most a day of footage."""
_SAID = "said.txt"


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """See `playback.exports.transcoder.Transcoder`. `folder` is for what is under way, and nobody else's."""

    binary: str
    threads: int
    font: Path
    zone: ZoneInfo
    folder: Path
    most_bytes: int

    @asynccontextmanager
    async def transcoded(
        self, film: AsyncIterator[bytes], order: Transcoding, watermark: Watermark | None, made_s: Callable[[float], None]
    ) -> AsyncIterator[Path]:
        """See `Transcoder`."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self.folder, prefix="film-"))
        try:
            drawn = self._drawn(watermark, folder) if watermark else None
            await self._run(transcode_command(self.binary, order, drawn, self.threads), folder, film, made_s)
            yield folder / FILM
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _drawn(self, watermark: Watermark, folder: Path) -> Drawn:
        """Raises BadInput for a line the font cannot write, and for more jumps of time than can be followed."""
        line = "".join(letter for letter in watermark.line if unicodedata.category(letter)[0] != "C").strip()
        if missing := missing_letters(self.font, line):
            raise BadInput(
                f"a watermark cannot be drawn: the font {self.font.name} has no {missing[:5]!r}; set exports.font_file to one that has it"
            )
        if len(watermark.stamps) > MOST_STAMPS:
            raise BadInput(f"the time jumps {len(watermark.stamps)} times in this film, a watermark follows {MOST_STAMPS}: ask for less")
        (folder / LINE_FILE).write_text(line, encoding="utf-8")
        return Drawn(watermark.stamps, self.font, self.zone)

    async def _run(self, command: list[str], folder: Path, film: AsyncIterator[bytes], made_s: Callable[[float], None]) -> None:
        with (folder / _SAID).open("wb") as said:
            process = await _started(command, folder, said)
        feeding = asyncio.create_task(_fed(process, film))
        telling = asyncio.create_task(_told(process, made_s))
        try:
            limit(process.pid, resource.RLIMIT_AS, MEMORY_BYTES)
            limit(process.pid, resource.RLIMIT_FSIZE, self.most_bytes)
            async with asyncio.timeout(LIMIT_S):
                await asyncio.gather(feeding, telling)
                code = await process.wait()
        except TimeoutError:
            raise BadInput(f"making this film anew takes longer than {LIMIT_S / 3600:.0f} h: ask for less, or smaller pictures") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            feeding.cancel()
            telling.cancel()
            await asyncio.gather(feeding, telling, process.wait(), return_exceptions=True)
        if code:
            raise self._error(code, (folder / _SAID).read_text(errors="replace"))

    def _error(self, code: int, said: str) -> BadInput | DataDamaged | TryAgain:
        if "File too large" in said or code == -25:
            return BadInput(f"the film made anew is larger than {self.most_bytes} bytes (exports.max_result_bytes): ask for less at once")
        if "No space left" in said or code < 0:
            return TryAgain(f"ffmpeg was ended before it was done ({code}): no room, or too little memory")
        line = next((line for line in reversed(said.splitlines()) if line.strip()), f"code {code}")
        return DataDamaged(f"ffmpeg cannot make this film anew: {''.join(filter(str.isprintable, line))[:200]}")


def find_ffmpeg(named: Path | None) -> str:
    """The program: the one named, else the system's, else the one that comes with imageio-ffmpeg; raises BadInput where there is none."""
    found = str(named) if named else shutil.which("ffmpeg")
    if found:
        return found
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return str(get_ffmpeg_exe())
    except RuntimeError:
        raise BadInput("there is no ffmpeg here: install it, or name it in exports.ffmpeg") from None


def missing_letters(font: Path, text: str) -> str:
    """The letters of a text that a font has no picture of."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font, lazy=True, fontNumber=0) as opened:
            known = opened.getBestCmap() or {}
    except (OSError, TTLibError) as error:
        raise BadInput(f"exports.font_file {font} cannot be used: {error}") from None
    return "".join(dict.fromkeys(letter for letter in text if not letter.isspace() and ord(letter) not in known))


def limit(pid: int, what: int, most: int) -> None:
    """Bounds a process; fine if it has ended."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, what, (most, most))


async def _started(command: list[str], folder: Path, said: Any) -> asyncio.subprocess.Process:
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "TZ": "UTC"}
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=said)
    except OSError as error:
        raise BadInput(f"{command[0]} cannot be started ({error.strerror}): see exports.ffmpeg") from None


async def _fed(process: asyncio.subprocess.Process, film: AsyncIterator[bytes]) -> None:
    """Gives it the film. If it takes no more, its exit code says why."""
    assert process.stdin is not None
    async with aclosing(film):  # type: ignore[type-var]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for piece in film:
                process.stdin.write(piece)
                await process.stdin.drain()
        process.stdin.close()


async def _told(process: asyncio.subprocess.Process, made_s: Callable[[float], None]) -> None:
    """Passes on how far it is."""
    assert process.stdout is not None
    async for line in process.stdout:
        name, _, value = line.decode(errors="replace").strip().partition("=")
        if name == "out_time_us" and value.lstrip("-").isdigit():
            made_s(max(0, int(value)) / 1e6)
