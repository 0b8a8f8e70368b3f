"""Makes the result of an export job: films as they were stored or made anew, alone or in an archive with a manifest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from playback.access import Access
from playback.export import Planned, plan_export
from playback.exports.archive import ArchiveWriter, manifest_of
from playback.exports.job import Form, Item, Job
from playback.exports.names import film_name
from playback.exports.results import ResultWriter
from playback.exports.rights import may_still
from playback.exports.transcoder import Transcoder, Watermark, stamps_of
from playback.exports.worker import Progress
from playback.file_bytes import file_bytes
from playback.problems import NoFootage
from playback.services import Services
from playback.virtual_mp4 import MAX_FILE_US
from segments.clock import US_PER_S, iso
from segments.errors import BadInput
from segments.model import Span

READ_BYTES = 1 << 20


class Film(NamedTuple):
    """One file to be made: a stretch of an item with one codec configuration."""

    item: Item
    name: str
    plan: Planned


@dataclass(frozen=True, slots=True)
class ExportMaker:
    """See `playback.exports.worker.Maker`. `room` says how many bytes a result may still take of the disks it needs; it raises TryAgain or
    BadInput if there is not enough for so many."""

    services: Services
    access: Access
    transcoder: Transcoder
    room: Callable[[int], None]
    software: str

    async def make(self, job: Job, out: ResultWriter, progress: Progress) -> None:
        """See `Maker`. Looks first whether whoever asked may still have it."""
        services = self.services
        await may_still(job, self.access, services.index, services.consents)
        if job.form is Form.MP4:
            await self._one_film(job, out, progress)
        else:
            await self._archive(job, out, progress)

    async def _one_film(self, job: Job, out: ResultWriter, progress: Progress) -> None:
        item = job.items[0]
        plans = await plan_export(self.services, item.camera, item.span)
        if len(plans) > 1:
            raise BadInput(f"the footage changes its codec or picture size, so it makes {len(plans)} films: ask for zip")
        film = Film(item, film_name(item.camera, item.start_us), plans[0])
        async with aclosing(self._bytes(job, film, _Part(progress, 0.0, 1.0))) as pieces:
            async for piece in pieces:
                await out.write(piece)

    async def _archive(self, job: Job, out: ResultWriter, progress: Progress) -> None:
        archive = ArchiveWriter(out)
        entries: list[dict[str, Any]] = []
        before_us = 0
        for item in job.items:
            entry = {"camera": item.camera, "from": iso(item.start_us), "to": iso(item.end_us), "files": [], "gaps": []}
            for span in _days(item.span):
                part = _Part(progress, before_us / job.asked_span_us, (span.end_us - span.start_us) / job.asked_span_us)
                await self._stretch(job, item._replace(start_us=span.start_us, end_us=span.end_us), archive, entry, part)
                before_us += span.end_us - span.start_us
            entries.append(entry)
        if not any(entry["files"] for entry in entries):
            raise BadInput("there is no footage of any of these cameras in the time asked for")
        about = {"software": self.software, "site": self.services.site, "made_at": iso(self.services.clock.now_us())}
        await archive.finish(manifest_of(job, entries, about))

    async def _stretch(self, job: Job, item: Item, archive: ArchiveWriter, entry: dict[str, Any], part: _Part) -> None:
        """Puts the films of at most 24 h into the archive, and what is told of them into its item's entry."""
        try:
            plans = await plan_export(self.services, item.camera, item.span)
        except NoFootage as error:
            entry["gaps"].append({"from": iso(item.start_us), "to": iso(item.end_us), "cause": str(error.cause)})
            return
        entry["gaps"] += plans[0].manifest["gaps"]
        share = part.whole / len(plans)
        for number, plan in enumerate(plans):
            film = Film(item, f"{item.camera}/{film_name(item.camera, item.start_us, number)}", plan)
            async with aclosing(self._bytes(job, film, _Part(part.progress, part.before + number * share, share))) as pieces:
                written = await archive.add(film.name, item.start_us, pieces)
            made = job.transcoding._asdict() if job.transcoding else None
            entry["files"].append({**written, "codecs": plan.manifest["codecs"], "transcoded": made, "runs": plan.manifest["runs"]})

    async def _bytes(self, job: Job, film: Film, part: _Part) -> AsyncGenerator[bytes]:
        """The bytes of a film as the result has it."""
        self.room(film.plan.size)
        if job.transcoding is None:
            async for piece in part.counted(film.plan, file_bytes(self.services, film.plan.file)):
                yield piece
            return
        source = part.read(file_bytes(self.services, film.plan.file))
        mark = Watermark(_line(job), stamps_of(film.plan.manifest)) if job.transcoding.watermark else None
        async with self.transcoder.transcoded(source, job.transcoding, mark, part.made(film.item.span)) as path:
            async for piece in _file(path):
                yield piece


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a job: how much of it is done before, and how much it is of the whole."""

    progress: Progress
    before: float
    whole: float

    async def counted(self, plan: Planned, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of a film; the share done is that of its bytes."""
        done = 0
        async for piece in pieces:
            done += len(piece)
            self.progress.read_bytes += len(piece)
            self.progress.share = self.before + self.whole * done / plan.size
            yield piece

    async def read(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of a film that is made anew: reading them is no share of the work."""
        async for piece in pieces:
            self.progress.read_bytes += len(piece)
            yield piece

    def made(self, span: Span) -> Callable[[float], None]:
        """Told how many seconds of it are made, counts them."""
        start_s, whole_s = self.progress.made_s, (span.end_us - span.start_us) / US_PER_S

        def told(seconds: float) -> None:
            self.progress.made_s = start_s + seconds
            self.progress.share = self.before + self.whole * min(1.0, seconds / whole_s)

        return told


def _days(span: Span) -> list[Span]:
    """A span in pieces that one film can hold."""
    starts = range(span.start_us, span.end_us, MAX_FILE_US)
    return [Span(start_us, min(start_us + MAX_FILE_US, span.end_us)) for start_us in starts]


def _line(job: Job) -> str:
    """What a watermark says beside the time: name and unit, else who the subject is."""
    return "  ".join(text for text in (job.name or job.subject, job.unit) if text)


async def _file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield piece
