"""A bound on the size of requests, which neither FastAPI nor uvicorn sets."""

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `limit` bytes.

    A body that says its length is not read; one that does not is read up to the limit.
    """

    def __init__(self, app: "ASGIApp", limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > self._limit:
            await self._refuse(scope, receive, send)
            return
        messages = await self._read(receive)
        if messages is None:
            await self._refuse(scope, receive, send)
            return

        async def replay() -> "Message":
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: "Receive") -> "list[Message] | None":
        """All parts of the body; None if they are too long."""
        messages: list[Message] = []
        size = 0
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if size > self._limit:
                return None
        return messages

    async def _refuse(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        detail = f"the body may have at most {self._limit} bytes"
        await JSONResponse({"detail": detail}, 413)(scope, receive, send)
