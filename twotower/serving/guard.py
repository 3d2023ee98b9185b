"""What stands before the service: keys, and few large requests at a time."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from twotower.common.errors import ConfigError
from twotower.serving.query_search import BusyError

KEYS = "TWOTOWER_API_KEY"
"""Environment variable with the key that clients send, or several between commas."""
OPEN = "/health"
"""What may be asked without a key."""
BEARER = b"bearer "
LARGE_BODY = 6
"""Digits of its number of bytes; a request with such a body, or one of unknown length, waits for
its turn."""
LARGE_ANSWER = 2**13
"""Ids; likewise."""
TURNS = 4
"""Large requests at a time: what they hold in memory is up to 100 MB each."""
WAIT = 10.0
"""Seconds that a large request waits for its turn."""
PIECE = 2**16
"""Bytes of a large answer that are sent at a time, as fast as the client takes them."""
NO_KEY = "send the key of this service: Authorization: Bearer KEY, or X-API-Key: KEY"


def keys_of(variables: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys that the environment gives; none: whoever reaches the service may ask.

    Raises:
        ConfigError: if a key is empty, or no header could hold it.
    """
    if (text := variables.get(KEYS)) is None:
        return ()
    keys = [key.strip() for key in text.split(",")]
    if not all(key.isascii() and key.isprintable() and key and " " not in key for key in keys):
        msg = (
            f"{KEYS}: must be a key of visible ASCII characters, or several separated by commas; "
            "unset it to serve without a key"
        )
        raise ConfigError(msg)
    return tuple(key.encode() for key in keys)


class Turn:
    """Of a request that may be large: waits until few others are being answered."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free, self._taken = free, False

    async def take(self) -> None:
        """Wait for it, unless it has come already.

        Raises:
            BusyError: if it does not come in time.
        """
        if self._taken:
            return
        try:
            async with asyncio.timeout(WAIT):
                await self._free.acquire()
        except TimeoutError:
            msg = "busy with other large requests: try again later, or ask for less at a time"
            raise BusyError(msg) from None
        self._taken = True

    def end(self) -> None:
        """Let the next one in."""
        if self._taken:
            self._free.release()


class Guard:
    """An application that passes on to another one only what may be asked.

    Of large requests, TURNS are answered at a time, so that what they hold fits into memory; the
    others are not kept waiting. The application finds the `Turn` of a request in its scope.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[bytes]) -> None:
        self._app, self._keys = app, keys
        self._free = asyncio.Semaphore(TURNS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if (client := scope.get("client")) and not client[0].isprintable():
            scope["client"] = (
                None  # a header of proxies, with what a terminal would obey in the log
            )
        if self._keys and scope["path"] != OPEN and not self._has_key(scope["headers"]):
            refused = JSONResponse({"detail": NO_KEY}, 401, {"www-authenticate": "Bearer"})
            return await refused(scope, receive, send)
        turn = scope["turn"] = Turn(self._free)
        try:
            if _has_large_body(scope["headers"]):
                await turn.take()
            await self._app(scope, receive, send)
        except BusyError as error:
            await busy(error)(scope, receive, send)
        finally:
            turn.end()

    def _has_key(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        for name, value in headers:
            if name == b"authorization" and value[: len(BEARER)].lower() == BEARER:
                given = value[len(BEARER) :].strip()
            elif name == b"x-api-key":
                given = value
            else:
                continue
            # All of them, so that the time does not tell which one it resembles.
            if sum(hmac.compare_digest(given, key) for key in self._keys):
                return True
        return False


def busy(error: Exception) -> Response:
    """What a client gets to know of a BusyError."""
    return JSONResponse({"detail": str(error)}, 503, {"retry-after": str(round(WAIT))})


def _has_large_body(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"content-length":
            return len(value) >= LARGE_BODY
        if name == b"transfer-encoding":
            return True
    return False


class LargeAnswer(Response):
    """Is sent in pieces, as fast as the client takes them, so that only its bytes are held."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See ASGI."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        for start in range(0, len(self.body), PIECE):
            piece, rest = self.body[start : start + PIECE], start + PIECE < len(self.body)
            await send({"type": "http.response.body", "body": piece, "more_body": rest})
