"""How the service speaks to its clients."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_Protocol: Any = AutoHTTPProtocol


class Connection(_Protocol):  # type: ignore[misc]
    """Sends at once what it has to send.

    Otherwise an answer of several workers, whose shared socket asyncio leaves as it is, waits for
    the client to acknowledge its header: 40 ms.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """See `asyncio.Protocol`."""
        found = transport.get_extra_info("socket")
        with suppress(OSError):  # macOS and Windows refuse it where the client has gone already
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
