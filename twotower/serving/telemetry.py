"""What operators and experiments learn of each request: metrics, a log line, exposures."""

import logging
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twotower.serving.exposures import ExposureLog
from twotower.serving.metrics import OTHER, ROUTES, Metrics
from twotower.serving.recommendations import Recommendations

LOG = logging.getLogger("twotower.access")
"""A line for each request, where `json_log` wants it."""
HEADER = b"x-request-id"
ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
"""Of a request, as a client may give it; any other is replaced."""
HUNG_UP = 499
"""nginx's status of a request whose client has gone before it was answered."""
KNOWN = frozenset(ROUTES)


@dataclass(slots=True)
class Exchange:
    """A request, and what has become of it.

    Attributes:
        id: of the request, the client's own or a new one.
        route: one of ROUTES, or OTHER.
        status: of the answer.
        model: version of the model that answered.
        rows: of the answer.
    """

    id: str
    route: str
    metrics: Metrics
    exposures: ExposureLog | None
    status: int = HUNG_UP
    model: str | None = None
    rows: int | None = None

    def answer(self, model: str, found: Recommendations) -> None:
        """Note what is answered; of recommendations, each row is an exposure."""
        self.model, self.rows = model, len(found)
        self.metrics.count_rows(self.route, found)
        if self.exposures and found.query_name != "similar_to":
            self.exposures.add(self.id, model, found)


class Telemetry:
    """An application that passes on to another one, and counts, logs and names what it answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics, exposures: ExposureLog | None) -> None:
        self._app, self._metrics, self._exposures = app, metrics, exposures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        route = scope["path"] if scope["path"] in KNOWN else OTHER
        given = _given_id(scope["headers"])
        identifier = given or os.urandom(16).hex().encode()
        exchange = Exchange(identifier.decode(), route, self._metrics, self._exposures)
        scope["exchange"] = exchange

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, identifier)]
            await send(message)

        begun = time.perf_counter()
        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, named)
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.in_progress.dec()
            self._metrics.answered(route, exchange.status, seconds)
            if LOG.isEnabledFor(logging.INFO):
                _log(scope["method"], exchange, seconds)


def _given_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == HEADER:
            return value if ID.fullmatch(value) else None
    return None


def _log(method: str, exchange: Exchange, seconds: float) -> None:
    request = {
        "request_id": exchange.id,
        "method": method,
        "route": exchange.route,
        "status": exchange.status,
        "ms": round(1000 * seconds, 2),
        "rows": exchange.rows,
        "model": exchange.model,
    }
    LOG.info("%s %s %d", method, exchange.route, exchange.status, extra={"request": request})
