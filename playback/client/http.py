"""Questions to the service over HTTP: the key on each, passing faults waited out within bounds, problems as errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from playback.client.errors import KeepsightError, NoAnswer, error_of

_AGAIN = frozenset({429, 502, 503, 504})
_PASSED_ON = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a question is asked, and how long is waited in all; what the service asks for in Retry-After counts, up to `longest_s`."""

    tries: int = 5
    longest_s: float = 30.0


class Http:
    """The connection. `base` is the address of the service; its API lies below."""

    def __init__(
        self, base: str, key: str, *, reason: str, timeout_s: float, patience: Patience, transport: httpx2.AsyncBaseTransport | None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if reason:
            headers["Keepsight-Reason"] = quote(reason, safe="")
        self.api = f"{base.rstrip('/')}/api/v1/"
        self._patience = patience
        self._client = httpx2.AsyncClient(base_url=self.api, headers=headers, timeout=timeout_s, transport=transport)

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.aclose()

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer; None where it has no body."""
        answer = await self.ask(method, path, **options)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise NoAnswer("the answer is not of Keepsight: is this the address of the service?") from None

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The whole answer; raises KeepsightError unless it is 2xx."""
        async with self.stream(method, path, **options) as answer:
            try:
                await answer.aread()
            except httpx2.HTTPError as error:
                raise NoAnswer(f"the answer broke off ({type(error).__name__})") from None
            return answer

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncIterator[httpx2.Response]:
        """An answer whose body is still to be read; raises KeepsightError unless it is 2xx."""
        answer = await self._answer(self._client.build_request(method, path, headers=headers, **options))
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        waited_s = 0.0
        for attempt in range(1, self._patience.tries + 1):
            try:
                answer = await self._client.send(request, stream=True)
            except httpx2.HTTPError as error:
                failure: KeepsightError = NoAnswer(f"the service cannot be reached ({type(error).__name__})")
                again, wait_s = request.method in _PASSED_ON, 2.0**attempt / 4
            else:
                if answer.is_success:
                    return answer
                failure, again, wait_s = await _failure(request, answer, attempt)
            waited_s += wait_s
            if not again or attempt == self._patience.tries or waited_s > self._patience.longest_s:
                raise failure
            await asyncio.sleep(wait_s)
        raise AssertionError("tries are at least 1")


async def _failure(request: httpx2.Request, answer: httpx2.Response, attempt: int) -> tuple[KeepsightError, bool, float]:
    """The error of an answer, whether the same may be asked again, and after how long. What may have been done is not asked again."""
    try:
        await answer.aread()
        problem = answer.json()
    except (httpx2.HTTPError, ValueError):
        problem = {}
    finally:
        await answer.aclose()
    again = answer.status_code == 429 or (answer.status_code in _AGAIN and request.method in _PASSED_ON)
    said = answer.headers.get("retry-after", "")
    wait_s = float(said) if said.isdecimal() else 2.0**attempt / 4
    return error_of(answer.status_code, problem if isinstance(problem, dict) else {}), again, wait_s
