"""How the service speaks to its clients, and how long it waits for them."""

import asyncio
import logging
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from twotower.serving.metrics import Metrics

LOG = logging.getLogger("uvicorn.error")
BESIDE = 2**16
"""Bytes that a request may have besides its body: address, headers, what marks chunks, trailers."""
AHEAD = 100
"""Requests that a client may send before it has the answer to an earlier one."""
CONNECTIONS = 500
"""Open at a time in a process, or half of the files that it may open."""
LOOK = 1.0
"""Seconds between two looks at what a client is doing."""

METRICS = "metrics"
"""Where an application's lifespan leaves its `Metrics`, if it has any."""

Slow = Literal["head", "body", "answer"]
Closed = Literal["slow_head", "slow_body", "slow_answer", "crowded", "malformed"]
"""Why a connection was broken off; malformed: no HTTP, too long a head, or too much ahead."""
WHY: dict[Slow, Closed] = {"head": "slow_head", "body": "slow_body", "answer": "slow_answer"}
SECONDS: dict[Slow, float] = {"head": 10, "body": 30, "answer": 60}
"""That a client may take to send a request's head, then its body, and to read the answer."""


def connections() -> int:
    """How many a process of the service keeps open."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)


class Connection(HttpToolsProtocol):
    """Closes the connections of clients that are too slow, too many, or ask too much at a time.

    uvicorn bounds only the time between two requests. All of this is looked at once a second, or
    once for each piece that arrives; a request that is in time costs next to nothing.
    """

    most = connections()
    _warned = -float("inf")
    _metrics: "Metrics | None" = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """See uvicorn."""
        super().__init__(*arguments, **options)
        self._beside = 0
        self._doing: tuple[Slow | None, object] = ("head", None)
        self.since = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._metrics = self.app_state.get(METRICS)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send at once what there is to send, and make room if there are too many.

        Otherwise an answer of several workers, whose shared socket asyncio leaves as it is, waits
        for the client to acknowledge its header: 40 ms.
        """
        found = transport.get_extra_info("socket")
        with suppress(OSError):  # macOS and Windows refuse it where the client has gone already
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        if self._metrics:
            self._metrics.connections.inc()
        self.since = self.loop.time()
        self._next = self.loop.call_later(LOOK, self._look)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._next:
            self._next.cancel()
        if self._metrics:
            self._metrics.connections.dec()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and hang up where a request has too much besides its body."""
        self._beside += len(data)
        super().data_received(data)
        if self._beside <= BESIDE and len(self.pipeline) <= AHEAD:
            return
        if self.slow == "head":
            self.send_400_response(f"The head of a request may have {BESIDE} bytes.")
        else:
            self._break_off("malformed")

    def send_400_response(self, msg: str) -> None:
        """See uvicorn."""
        self._count("malformed")
        super().send_400_response(msg)

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._beside = 0
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: two lines for each such request would fill the log."""

    @property
    def slow(self) -> Slow | None:
        """What the client is to do next; None: nothing, it is the service's turn."""
        if self.transport.get_write_buffer_size():
            return "answer"
        if self.cycle is None or self.cycle.response_complete:
            return "head"
        return "body" if self.cycle.more_body else None

    def _look(self) -> None:
        doing, now = (self.slow, self.cycle), self.loop.time()
        if doing != self._doing:
            self._doing, self.since = doing, now
        elif doing[0] and now - self.since > SECONDS[doing[0]]:
            self._break_off(WHY[doing[0]])
        self._next = self.loop.call_later(LOOK, self._look)

    def _make_room(self) -> None:
        """Hang up on who has been waited for longest; on the new one, if the rest are at work."""
        waiting = [one for one in self.connections if isinstance(one, Connection) and one.slow]
        min(waiting, key=lambda one: one.since)._break_off("crowded")
        now = time.monotonic()
        if now - Connection._warned > 60:
            Connection._warned = now
            LOG.warning("%d connections are open: closing those that wait longest", self.most)

    def _break_off(self, reason: Closed) -> None:
        self._count(reason)
        self.transport.abort()

    def _count(self, reason: Closed) -> None:
        if self._metrics:
            self._metrics.closed(reason)
