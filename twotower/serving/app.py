"""The HTTP service; the only importer of FastAPI."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from twotower.common.errors import RequestError
from twotower.serving.filters import ItemFilter
from twotower.serving.limits import BodyLimit
from twotower.serving.live import FolderWatcher, LiveModel, Served
from twotower.serving.recommendations import Recommendations
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
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is no JSON."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "The request cannot be answered; `detail` says why."},
}


class ServeOptions(BaseModel):
    """What a service serves, and what it refuses."""

    artifacts: Path
    approximate: bool = False
    mmap: bool = False
    poll: float = 2.0
    """Seconds between looks at the folder; 0: never."""
    max_k: int = 1000
    max_batch: int = 1000
    """Users, histories or items of one request."""
    max_body: int = 2**23
    """Bytes."""

    def check(self, k: int, batch: int) -> None:
        """Refuse requests that are too large.

        Raises:
            RequestError: naming the limit.
        """
        for name, value, limit in (("k", k, self.max_k), ("rows", batch, self.max_batch)):
            if value > limit:
                msg = f"{name}: at most {limit} in one request, got {value}"
                raise RequestError(msg)


def from_environment() -> FastAPI:
    """The service that OPTIONS describes; uvicorn calls this in each of its processes."""
    return create_app(ServeOptions.model_validate_json(os.environ[OPTIONS]))


def create_app(options: ServeOptions, model: LiveModel | None = None) -> FastAPI:
    """The service, with its model loaded.

    Args:
        options: what is served.
        model: the model; None: that of the options' folder.

    Raises:
        ArtifactError: if the folder holds no whole model.
        ConfigError: if the index is to be used and usearch is not installed.
    """
    live = model or LiveModel(options.artifacts, mmap=options.mmap, approximate=options.approximate)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watcher = FolderWatcher(live, options.poll) if options.poll else None
        if watcher:
            watcher.start()
        yield
        if watcher:
            watcher.stop()

    app = FastAPI(
        title="Two-Tower recommendations",
        version=version("twotower"),
        description=f"At most {options.max_k} items a row and {options.max_batch} rows a request.",
        lifespan=lifespan,
    )
    app.add_middleware(BodyLimit, limit=options.max_body)
    app.add_exception_handler(RequestError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_malformed)
    _add_routes(app, options, live)
    return app


def _add_routes(app: FastAPI, options: ServeOptions, live: LiveModel) -> None:
    @app.get("/health")
    def health() -> Health:
        """Whether the service answers, and with which model."""
        served, problem = live.served, live.problem
        return Health(
            status="ok" if problem is None else "degraded",
            model=served.version,
            num_users=served.recommender.num_users,
            num_items=served.recommender.num_items,
            problem=problem,
        )

    @app.post("/recommend", response_model=RecommendResponse, responses=REFUSED)
    def recommend(asked: RecommendRequest) -> JSONResponse:
        """The best items for each user, or for each history of a new user."""
        served = live.served
        model = served.recommender
        options.check(asked.k, len(asked.user_ids or asked.histories or ()))
        given = ItemFilter(asked.allowed, asked.blocked)
        if asked.user_ids is not None:
            found = model.recommend(asked.user_ids, asked.k, asked.exclude_seen, given)
        else:
            histories = asked.histories or []
            found = model.recommend_from_histories(histories, asked.k, asked.exclude_seen, given)
        return _answer(served, found)

    @app.post("/similar", response_model=SimilarResponse, responses=REFUSED)
    def similar(asked: SimilarRequest) -> JSONResponse:
        """The items that are most alike to each item."""
        served = live.served
        options.check(asked.k, len(asked.item_ids))
        given = ItemFilter(asked.allowed, asked.blocked)
        return _answer(served, served.recommender.similar_items(asked.item_ids, asked.k, given))


def _answer(served: Served, found: Recommendations) -> JSONResponse:
    # Straight to JSON: it is known to be valid, and checking it would take longer than finding it.
    return JSONResponse({"model": served.version, "results": list(found.rows())})


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _refuse_malformed(request: Request, error: Exception) -> JSONResponse:
    detail = explain(error.errors()) if isinstance(error, RequestValidationError) else str(error)
    if "json" not in request.headers.get("content-type", ""):
        detail = f"send JSON with the header content-type: application/json ({detail})"
    return JSONResponse({"detail": detail}, 422)
