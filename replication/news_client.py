"""What one place of our own site tells of its commits, over its local routes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

from replication.ports import Commit
from segments.errors import Refused, TryAgain
from segments.model import RowPosition

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class PlaceTold:
    """Commits in their order, the first of them number `first` of the process `boot`; from `since_us` on it knows all of its own."""

    boot: str
    first: int
    since_us: int
    commits: list[Commit]


class PlaceNews(Protocol):
    """One place."""

    async def told(self, boot: str, after: int) -> PlaceTold:
        """From number `after` on; of another process, or where those are forgotten, all that it knows. Raises TryAgain, Refused."""

    async def close(self) -> None:
        """Closes its connections."""


class NewsClient:
    """See `PlaceNews`; `base_url` is the address of a place's local routes, `tls` how it is verified where that is https."""

    def __init__(self, base_url: str, key: str, *, tls: ssl.SSLContext | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_S, trust_env=False, verify=tls or True)

    async def told(self, boot: str, after: int) -> PlaceTold:
        """See `PlaceNews`."""
        try:
            answer = await self._http.get("/news", params={"boot": boot, "after": after})
        except httpx2.HTTPError as error:
            raise TryAgain(f"the uploader does not answer ({type(error).__name__})") from None
        if answer.status_code == 401:
            raise Refused("the uploader refuses the key of the site's own processes")
        if answer.status_code != 200:
            raise TryAgain(f"the uploader answers {answer.status_code}")
        return _told(answer.json())

    async def close(self) -> None:
        """See `PlaceNews`."""
        await self._http.aclose()


def _told(values: dict[str, Any]) -> PlaceTold:
    commits = [Commit(camera, RowPosition(start_us, run, counter), at_us) for camera, start_us, run, counter, at_us in values["commits"]]
    return PlaceTold(values["boot"], values["first"], values["since_us"], commits)
