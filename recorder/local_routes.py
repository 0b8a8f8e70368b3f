"""The uploader's routes for other processes of the site: the live edge and what is happening. Own port, own key, never for users."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recorder.live import LiveEdge
from recorder.news import NewsRing
from segments.errors import BadInput, NotFound
from segments.keys import CAMERA_ID, parse_run
from segments.model import RowPosition

Answer = Callable[[Request], Awaitable[Response]]


def create_local_app(live: LiveEdge, *, key: str, status: Callable[[], Mapping[str, object]], news: NewsRing) -> Starlette:
    """The application. Every request must carry the key; all answers are for machines of this version."""

    async def segments(request: Request) -> Response:
        found = await live.segments(_camera(request))
        items = [{"row": asdict(item.row), "run": {**asdict(item.run), "init": item.run.init.hex()}} for item in found]
        return Response(json.dumps(items), media_type="application/json")

    async def content(request: Request) -> Response:
        path, query = request.path_params, request.query_params
        try:
            parse_run(path["run"])
            position = RowPosition(int(path["start_us"]), path["run"], int(path["counter"]))
            start, end = int(query["start"]), int(query["end"])
            if not 0 <= start <= end:
                raise BadInput("start and end are no range")
        except (ValueError, KeyError):
            raise BadInput("start_us, run, counter, start and end are wanted") from None
        return Response(await live.read(_camera(request), position, start, end), media_type="video/mp4")

    async def say_status(_: Request) -> Response:
        return JSONResponse(dict(status()))

    async def say_news(request: Request) -> Response:
        query = request.query_params
        try:
            after = int(query.get("after", "0"))
        except ValueError:
            raise BadInput("after is a number of commits") from None
        return JSONResponse(asdict(news.told(query.get("boot", ""), after)))

    def guarded(answer: Answer) -> Answer:
        async def ask(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), key.encode()):
                return JSONResponse({"title": "the key of the site's own processes is wanted"}, 401)
            try:
                return await answer(request)
            except NotFound as error:
                return JSONResponse({"title": str(error)}, 404)
            except BadInput as error:
                return JSONResponse({"title": str(error)}, 400)

        return ask

    return Starlette(
        routes=[
            Route("/live/{camera}", guarded(segments)),
            Route("/live/{camera}/{start_us}/{run}/{counter}", guarded(content)),
            Route("/status", guarded(say_status)),
            Route("/news", guarded(say_news)),
        ]
    )


def _camera(request: Request) -> str:
    camera = str(request.path_params["camera"])
    if CAMERA_ID.fullmatch(camera) is None:
        raise BadInput("that is no camera id")
    return camera
