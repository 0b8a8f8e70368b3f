"""The live edge over the uploader's local routes."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

import httpx2

from segments.errors import NotFound, Refused, TryAgain
from segments.model import Fragment, Row, RowPosition, Run

TIMEOUT_S = 3.0


class LiveClient:
    """See `LiveFootage`; one uploader. `base_url` is the address of its local routes, `tls` how it is verified where that is https."""

    def __init__(self, base_url: str, key: str, *, tls: ssl.SSLContext | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_S, trust_env=False, verify=tls or True)

    async def segments(self, camera: str) -> Sequence[tuple[Row, Run]]:
        """See `LiveFootage`."""
        return [(_row(item["row"]), _run(item["run"])) for item in (await self._get(f"/live/{camera}")).json()]

    async def read(self, camera: str, position: RowPosition, start: int, end: int) -> bytes:
        """See `LiveFootage`."""
        path = f"/live/{camera}/{position.start_us}/{position.run}/{position.counter}"
        return (await self._get(path, {"start": start, "end": end})).content

    async def status(self) -> Mapping[str, object]:
        """See `LiveFootage`."""
        return cast("Mapping[str, object]", (await self._get("/status")).json())

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def _get(self, path: str, query: Mapping[str, int] | None = None) -> httpx2.Response:
        try:
            answer = await self._http.get(path, params=query)
        except httpx2.HTTPError as error:
            raise TryAgain(f"the uploader does not answer ({type(error).__name__})") from None
        if answer.status_code == 404:
            raise NotFound("the spool does not hold this segment any more")
        if answer.status_code == 401:
            raise Refused("the uploader refuses the key of the site's own processes")
        if answer.status_code != 200:
            raise TryAgain(f"the uploader answers {answer.status_code}")
        return answer


def _row(values: dict[str, Any]) -> Row:
    values["fragments"] = tuple(Fragment(*item) for item in values["fragments"])
    return Row(**{field.name: values[field.name] for field in fields(Row)})


def _run(values: dict[str, Any]) -> Run:
    values["init"], values["notes"] = bytes.fromhex(values["init"]), tuple(values["notes"])
    return Run(**{field.name: values[field.name] for field in fields(Run)})
