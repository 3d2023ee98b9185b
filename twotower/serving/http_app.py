"""The HTTP service, put together."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp
from threadpoolctl import threadpool_limits

from twotower.common.bounded import bounded
from twotower.common.errors import RequestError
from twotower.serving.connection import METRICS
from twotower.serving.endpoints import add_answers, add_pages
from twotower.serving.exposures import ExposureLog
from twotower.serving.guard import OPEN, Guard, busy, keys_of
from twotower.serving.live_model import FolderWatcher, LiveModel
from twotower.serving.metrics import Metrics
from twotower.serving.options import OPTIONS, ServeOptions
from twotower.serving.query_search import BusyError
from twotower.serving.request_body import Route
from twotower.serving.schemas import NO_KEY, REFUSED, explain
from twotower.serving.telemetry import Telemetry

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""How a key may be sent, as OpenAPI says it."""


def from_environment() -> ASGIApp:
    """The service that OPTIONS describes; uvicorn calls this in each of its processes.

    One thread computes an answer, unless OMP_NUM_THREADS says otherwise: several that wait for each
    other at every product take many times the processor time.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        threadpool_limits(1)
        os.environ["OMP_NUM_THREADS"] = "1"  # for torch, where a tower needs it, is loaded later
    options = ServeOptions.model_validate_json(os.environ[OPTIONS])
    return create_app(options, keys=keys_of(os.environ))


def create_app(
    options: ServeOptions, model: LiveModel | None = None, *, keys: Sequence[bytes] = ()
) -> ASGIApp:
    """The service, with its model loaded.

    Args:
        options: what is served.
        model: the model; None: that of the options' folder.
        keys: one of which each request must have, but for /health; none: everyone may ask.

    Raises:
        ArtifactError: if the folder does not hold a complete model.
        ConfigError: if the index is to be used and usearch is not installed.
    """
    loading = options.model_dump(include={"mmap", "approximate", "verify"})
    live = model or LiveModel(options.artifacts, **loading)
    metrics = Metrics(live)
    threads: list[FolderWatcher | ExposureLog] = []
    exposures = None
    if options.poll:
        threads.append(FolderWatcher(live, options.poll, metrics.refreshed))
    if options.exposures:
        threads.append(exposures := ExposureLog(options.exposures, metrics.exposed))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        for thread in threads:
            thread.start()
        yield {METRICS: metrics}
        for thread in threads:
            thread.stop()

    app = FastAPIOffline(  # the page of /docs holds its script, and asks no other server for it
        redoc_url=None,
        title="Two-Tower recommendations",
        version=version("twotower"),
        description=(
            f"Limits per request: k {options.max_k}; {options.max_batch} users, histories or "
            f"items; {options.max_body} bytes."
        ),
        lifespan=lifespan,
        max_body_size=options.max_body,
        redirect_slashes=False,  # to what the client says is the host
        generate_unique_id_function=lambda route: route.name,  # what generated clients call it
    )
    _add_routes(app, options, live, metrics, keys)
    # Around all of it, as the limit of a body is outside the middleware that an app is given.
    return Telemetry(app, metrics, exposures)


def _add_routes(
    app: FastAPI, options: ServeOptions, live: LiveModel, metrics: Metrics, keys: Sequence[bytes]
) -> None:
    app.add_exception_handler(BusyError, _give_up)
    app.add_exception_handler(RequestError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    app.router.route_class = Route
    add_pages(app, live, metrics)
    add_answers(app, options, live, REFUSED | (NO_KEY if keys else {}))
    app.add_middleware(Guard, keys=keys)
    if keys:
        _describe_keys(app)


def _describe_keys(app: FastAPI) -> None:
    """Say in OpenAPI that requests need a key; FastAPI's own way would check it twice."""
    described = app.openapi()  # which later calls return as it is
    described["components"]["securitySchemes"] = SCHEMES
    for path, methods in described["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path == OPEN else [{name: []} for name in SCHEMES]


async def _give_up(_request: Request, error: Exception) -> Response:
    return busy(error)


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _refuse_malformed(request: Request, error: Exception) -> JSONResponse:
    detail = explain(error.errors()) if isinstance(error, RequestValidationError) else str(error)
    if "json" not in request.headers.get("content-type", ""):
        detail = f"send JSON with the header content-type: application/json ({detail})"
    return JSONResponse({"detail": bounded(detail)}, 422)
