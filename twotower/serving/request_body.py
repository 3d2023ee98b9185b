"""The bodies of requests, read within limits."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

VALUES = 2**20
"""Most values, lists and objects in a body: 8 MiB of empty lists would take 300 MB of memory."""
KEYS = 100
"""Most keys of an object, each of which may be a mistake to tell."""


def read(body: bytes) -> Any:
    """What the JSON of a body says.

    Raises:
        HTTPException: 413 if it says too much, which is found before it is parsed.
        ValueError: if it is not JSON, or holds an integer of more than 4,300 digits.
        RecursionError: if it is nested too deeply, about 1,000 times.
    """
    # A value follows each of these, but for the first one, and in texts they count as well.
    if sum(body.count(mark) for mark in b",[{") > VALUES:
        raise HTTPException(413, f"the body holds more than {VALUES} values")
    data = json.loads(body)
    for found in (data, data.get("max_per")) if isinstance(data, dict) else ():
        if isinstance(found, dict) and len(found) > KEYS:
            raise HTTPException(413, f"an object of the body has more than {KEYS} keys")
    return data


class _Bounded(Request):
    async def json(self) -> Any:
        return read(await self.body())


class Route(APIRoute):
    """An endpoint whose body is read within limits."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(_Bounded(request.scope, request.receive))

        return bounded
