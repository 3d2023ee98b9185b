"""The HTTP service; it and its front page alone import FastAPI."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from threadpoolctl import threadpool_limits

from twotower.common.bounded import bounded
from twotower.common.errors import RequestError
from twotower.retrieval.rerank import POOL_PER_ITEM
from twotower.serving.filters import ItemFilter
from twotower.serving.front_page import about, page
from twotower.serving.guard import (
    LARGE_ANSWER,
    OPEN,
    PIECE,
    Guard,
    LargeAnswer,
    busy,
    keys_of,
)
from twotower.serving.live_model import FolderWatcher, LiveModel, Served
from twotower.serving.query_search import DEADLINE, BusyError, check_time
from twotower.serving.recommendations import Recommendations
from twotower.serving.request_body import Route
from twotower.serving.schemas import (
    Health,
    Problem,
    RecommendRequest,
    RecommendResponse,
    SimilarRequest,
    SimilarResponse,
    explain,
)

OPTIONS = "TWOTOWER_SERVE"
"""Environment variable with `ServeOptions` as JSON, for worker processes."""
AT_ONCE = 2**23
"""Multiplications, a millisecond or two, up to which a request does not wait for a thread: another
would take longer to begin, and share the interpreter."""
ID = 2**12
"""Multiplications in the time that one id of a filter or of an answer takes."""
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body cannot be parsed."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "The request is not valid; `detail` says why."},
    503: {"model": Problem, "description": "The answer would take too long, now or always."},
}
NO_KEY: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The key is missing or wrong."},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""How a key may be sent, as OpenAPI says it."""


class ServeOptions(BaseModel):
    """What a service serves, and its limits."""

    artifacts: Path
    approximate: bool = False
    mmap: bool = False
    verify: bool = True
    """Whether the model's files are compared with their hashes."""
    poll: float = 2.0
    """How often to check the folder for a new model, in seconds; 0: never."""
    max_k: int = 1000
    max_batch: int = 1000
    """Most users, histories or items per request."""
    max_body: int = 2**23
    """Largest body of a request, in bytes."""
    max_seconds: float = 30.0
    """What is not answered by then is given up, as far as it is ranked row by row."""

    def check(self, k: int, batch: int) -> None:
        """Refuse requests above the limits; each service sets its own, so the schema has none.

        Raises:
            RequestError: naming the limit.
        """
        for name, value, limit in (("k", k, self.max_k), ("rows", batch, self.max_batch)):
            if value > limit:
                msg = f"{name}: must be at most {limit} per request, got {value}"
                raise RequestError(msg)


def from_environment() -> FastAPI:
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
) -> FastAPI:
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

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watcher = FolderWatcher(live, options.poll) if options.poll else None
        if watcher:
            watcher.start()
        yield
        if watcher:
            watcher.stop()

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
    )
    app.add_exception_handler(BusyError, _give_up)
    app.add_exception_handler(RequestError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    app.router.route_class = Route
    _add_pages(app, live)
    _add_answers(app, options, live, REFUSED | (NO_KEY if keys else {}))
    app.add_middleware(Guard, keys=keys)
    if keys:
        _describe_keys(app)
    return app


def _describe_keys(app: FastAPI) -> None:
    """Say in OpenAPI that requests need a key; FastAPI's own way would check it twice."""
    described = app.openapi()  # which later calls return as it is
    described["components"]["securitySchemes"] = SCHEMES
    for path, methods in described["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path == OPEN else [{name: []} for name in SCHEMES]


def _add_pages(app: FastAPI, live: LiveModel) -> None:
    @app.head("/", include_in_schema=False)  # monitors ask so
    @app.get("/", include_in_schema=False)
    async def front(request: Request) -> Response:
        served = live.served
        model = served.recommender
        facts = about(app, served.version, model.num_users, model.num_items)
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page(facts))
        return JSONResponse(facts)

    @app.head("/health", include_in_schema=False)
    @app.get("/health")
    async def health() -> Health:
        """Report whether the service answers, and with which model."""
        served, problem = live.served, live.problem
        return Health(
            status="ok" if problem is None else "degraded",
            model=served.version,
            num_users=served.recommender.num_users,
            num_items=served.recommender.num_items,
            num_items_cold=served.recommender.artifacts.num_items_cold,
            problem=problem,
        )


def _add_answers(
    app: FastAPI, options: ServeOptions, live: LiveModel, refused: dict[int | str, dict[str, Any]]
) -> None:
    @app.post("/recommend", response_model=RecommendResponse, responses=refused)
    async def recommend(request: RecommendRequest, asked: Request) -> Response:
        """Recommend items to users by id, or to new users by their histories."""
        DEADLINE.set(time.monotonic() + options.max_seconds)
        rows = len(request.user_ids or request.histories or ())
        options.check(request.k, rows)
        served = live.served
        if _is_quick(request, served.recommender.artifacts.item_vecs.size):
            return _recommend(served, request)
        pools = POOL_PER_ITEM if request.diversity or request.max_per else 1
        if rows * request.k * pools > LARGE_ANSWER:
            await asked.scope["turn"].take()
        return await run_in_threadpool(_recommend, served, request)

    @app.post("/similar", response_model=SimilarResponse, responses=refused)
    async def similar(request: SimilarRequest, asked: Request) -> Response:
        """Find the items most similar to each given item."""
        DEADLINE.set(time.monotonic() + options.max_seconds)
        options.check(request.k, len(request.item_ids))
        if len(request.item_ids) * request.k > LARGE_ANSWER:
            await asked.scope["turn"].take()
        return await run_in_threadpool(_similar, live.served, request)


def _is_quick(request: RecommendRequest, size: int) -> bool:
    """Whether the answer takes no longer than AT_ONCE.

    Args:
        request: that is to be answered.
        size: how many numbers the vectors of the items have.
    """
    if request.histories or request.diversity or request.max_per:
        return False
    rows = len(request.user_ids or ())
    ids = rows * request.k + len(request.allowed or ()) + len(request.blocked)
    return rows * size + ids * ID <= AT_ONCE


def _recommend(served: Served, request: RecommendRequest) -> Response:
    check_time()
    model = served.recommender
    how: dict[str, Any] = {
        "k": request.k,
        "exclude_seen": request.exclude_seen,
        "diversity": request.diversity,
        "max_per": request.max_per,
        "filter": ItemFilter(request.allowed, request.blocked),
    }
    if request.user_ids is not None:
        return _answer(served, model.recommend(request.user_ids, **how))
    return _answer(served, model.recommend_from_histories(request.histories or [], **how))


def _similar(served: Served, request: SimilarRequest) -> Response:
    check_time()
    allowed = ItemFilter(request.allowed, request.blocked)
    return _answer(served, served.recommender.similar_items(request.item_ids, request.k, allowed))


def _answer(served: Served, recommendations: Recommendations) -> Response:
    # Straight to JSON: validating the answer would take longer than computing it. Row by row, as
    # all at once would keep other threads waiting, for a million ids half a second.
    rows = b",".join(map(to_json, recommendations.rows()))
    answer = b'{"model":%b,"results":[%b]}' % (to_json(served.version), rows)
    kind = Response if len(answer) <= PIECE else LargeAnswer
    return kind(answer, media_type="application/json")


async def _give_up(_request: Request, error: Exception) -> Response:
    return busy(error)


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _refuse_malformed(request: Request, error: Exception) -> JSONResponse:
    detail = explain(error.errors()) if isinstance(error, RequestValidationError) else str(error)
    if "json" not in request.headers.get("content-type", ""):
        detail = f"send JSON with the header content-type: application/json ({detail})"
    return JSONResponse({"detail": bounded(detail)}, 422)
