"""One message to one address: pinned, signed, no redirect followed, nothing but the status read, all within ten seconds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import httpx2

from playback.webhooks.address import Reach, Resolver, pinned, resolve
from playback.webhooks.attempts import Answer
from segments.errors import BadInput, Refused, TryAgain

TIMEOUT_S = 10.0
CONNECT_S = 5.0
IN_ALL = 64
"""So many connections this process has at once, over all webhooks."""


class Post(Protocol):
    """Sends."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came back; never raises for what the other side does."""


class HttpPost:
    """Sends over HTTP. One for a process; close it at the end.

    No connection is used twice: behind one address may be several receivers, and each must prove by its certificate who it is.
    """

    def __init__(
        self, reach: Reach, *, tls: ssl.SSLContext | bool = True, resolver: Resolver = resolve, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._reach = reach
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            limits=httpx2.Limits(max_connections=IN_ALL, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.aclose()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See `Post`."""
        try:
            self._reach.checked(url)  # settings may have become stricter since it was registered
            async with asyncio.timeout(self._timeout_s):
                return Answer(await self._status(url, headers, body))
        except (httpx2.ConnectError, httpx2.ConnectTimeout, TryAgain) as error:
            said = str(error) if isinstance(error, TryAgain) else "no connection"
            return Answer(0, said, connected=False)
        except (BadInput, Refused) as error:
            return Answer(0, str(error), connected=False)
        except (httpx2.TimeoutException, TimeoutError):
            return Answer(0, f"no answer within {self._timeout_s:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Answer(0, f"the connection broke ({type(error).__name__})")

    async def _status(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        host = urlsplit(url).hostname or ""
        address = await pinned(host, self._reach, self._resolver)
        asked = httpx2.URL(url)
        named = {"Host": asked.netloc.decode(), "Content-Type": "application/json", "User-Agent": "keepsight-webhooks", **headers}
        request = self._client.build_request(
            "POST", asked.copy_with(host=str(address)), headers=named, content=body, extensions={"sni_hostname": host}
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code
