"""The HLS playlist that follows the live edge of a camera."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from playback.access import needs
from playback.asked import CameraId
from playback.footage import no_footage
from playback.gate import admit
from playback.laid import ANSWERS, PlaylistResponse, answer, laid_in, passed_on
from playback.limits import COSTLY
from playback.links import HLS_NOW, link_of
from playback.live_window import Mark, counted_from, head_us, window_of
from playback.play_query import PlayQuery
from playback.playlist import Window, media_text
from playback.services import Given
from segments.access import Verb
from segments.audit import Action
from segments.clock import US_PER_S
from segments.model import Span

router = APIRouter()

_ACT_US = 600 * US_PER_S


class LiveMarks:
    """From where the entries of each camera are counted on; of the cameras that were looked at last."""

    MOST = 2_000

    def __init__(self) -> None:
        self._marks: OrderedDict[str, Mark] = OrderedDict()

    def of(self, camera: str) -> Mark | None:
        """The mark of a camera."""
        return self._marks.get(camera)

    def put(self, camera: str, mark: Mark) -> None:
        """Keeps it in the place of the one before."""
        self._marks[camera] = mark
        self._marks.move_to_end(camera)
        if len(self._marks) > self.MOST:
            self._marks.popitem(last=False)


async def _marks(request: Request) -> LiveMarks:
    return cast("LiveMarks", request.app.state.live_marks)


@router.get(
    "/cameras/{camera}/hls/live.m3u8",
    dependencies=[*needs(Verb.VIEW, HLS_NOW), COSTLY],
    response_class=PlaylistResponse,
    responses=ANSWERS,
)
async def live(request: Request, services: Given, camera: CameraId, marks: Annotated[LiveMarks, Depends(_marks)], _: PlayQuery) -> Response:
    """The last minute of a camera, moving on with it; numbers of entries are the same whichever process answers."""
    now_us, link = services.clock.now_us(), link_of(request)
    head = head_us(now_us)
    await admit(request, Action.VIEW, "followed live", [camera], _registered(head, now_us))
    mark = counted_from(marks.of(camera), head)
    laid = await laid_in(services, camera, Window(Span(mark.at_us, now_us + 1), growing=True, sliding=True))
    entries, numbers, next_mark = window_of(laid.found, mark, max(head, link.span.start_us) if link else head)
    if not entries:
        raise await no_footage(services, camera, Span(head, now_us), laid.beside)
    marks.put(camera, next_mark)
    query = passed_on(request)
    return await answer(request, laid, lambda: media_text(entries, laid.runs, laid.window, query=query, numbers=numbers))


def _registered(start_us: int, end_us: int) -> Span:
    """The span of the register: whole ten minutes, so that who follows a camera leaves an act each ten minutes and not with every poll."""
    return Span(start_us // _ACT_US * _ACT_US, -(-(end_us + 1) // _ACT_US) * _ACT_US)
