"""How large a body may be: nobody fills the memory of this service with one."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playback.problems import TooLarge, refusal

MOST_BYTES = 8 << 20
"""A body larger than this is answered with 413. The largest that are of use are plans and holds of many cameras."""


class BodyLimit:
    """Refuses larger bodies: at once where their length is said, else as soon as so much has come."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _said_bytes(scope) > self._most_bytes:
            await self._refuse(scope, receive, send)
            return
        come_bytes, over = 0, False

        async def counted() -> Message:
            nonlocal come_bytes, over
            message = await receive()
            come_bytes += len(message.get("body", b""))
            over = over or come_bytes > self._most_bytes
            return {"type": "http.disconnect"} if over else message

        async def sent(message: Message) -> None:
            if not over:  # what the application says of a body that broke off is not the answer
                await send(message)

        await self._app(scope, counted, sent)
        if over:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(f"a body has at most {self._most_bytes} bytes here")
        await refusal(error)(scope, receive, send)


def _said_bytes(scope: Scope) -> int:
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(said) if said.isdigit() else 0
