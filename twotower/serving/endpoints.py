"""What the service answers, path by path."""

import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from twotower.retrieval.rerank import POOL_PER_ITEM
from twotower.serving.filters import ItemFilter
from twotower.serving.front_page import about, page
from twotower.serving.guard import LARGE_ANSWER, PIECE, LargeAnswer
from twotower.serving.live_model import LiveModel, Served
from twotower.serving.metrics import TEXT, Metrics
from twotower.serving.options import ServeOptions
from twotower.serving.query_search import DEADLINE, check_time
from twotower.serving.recommendations import Recommendations
from twotower.serving.schemas import (
    Health,
    RecommendRequest,
    RecommendResponse,
    SimilarRequest,
    SimilarResponse,
)
from twotower.serving.telemetry import Exchange

AT_ONCE = 2**23
"""Multiplications, a millisecond or two, up to which a request does not wait for a thread: another
would take longer to begin, and share the interpreter."""
ID = 2**12
"""Multiplications in the time that one id of a filter or of an answer takes."""


def add_pages(app: FastAPI, live: LiveModel, metrics: Metrics) -> None:
    """What is asked of the service itself."""

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

    @app.get("/metrics", name="metrics", response_class=PlainTextResponse)
    def show_metrics() -> Response:
        """Count what the service did, for Prometheus."""
        return Response(metrics.text(), headers={"content-type": TEXT})


def add_answers(
    app: FastAPI, options: ServeOptions, live: LiveModel, refused: dict[int | str, dict[str, Any]]
) -> None:
    """What is asked of the model.

    Args:
        app: that is asked.
        options: its limits.
        live: the model.
        refused: what else may be answered, by status, as OpenAPI says it.
    """

    @app.post("/recommend", response_model=RecommendResponse, responses=refused)
    async def recommend(request: RecommendRequest, asked: Request) -> Response:
        """Recommend items to users by id, or to new users by their histories."""
        DEADLINE.set(time.monotonic() + options.max_seconds)
        rows = len(request.user_ids or request.histories or ())
        options.check(request.k, rows)
        served, exchange = live.served, asked.scope["exchange"]
        if _is_quick(request, served.recommender.artifacts.item_vecs.size):
            return _recommend(served, request, exchange)
        pools = POOL_PER_ITEM if request.diversity or request.max_per else 1
        if rows * request.k * pools > LARGE_ANSWER:
            await asked.scope["turn"].take()
        return await run_in_threadpool(_recommend, served, request, exchange)

    @app.post("/similar", response_model=SimilarResponse, responses=refused)
    async def similar(request: SimilarRequest, asked: Request) -> Response:
        """Find the items most similar to each given item."""
        DEADLINE.set(time.monotonic() + options.max_seconds)
        options.check(request.k, len(request.item_ids))
        if len(request.item_ids) * request.k > LARGE_ANSWER:
            await asked.scope["turn"].take()
        return await run_in_threadpool(_similar, live.served, request, asked.scope["exchange"])


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


def _recommend(served: Served, request: RecommendRequest, exchange: Exchange) -> Response:
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
        found = model.recommend(request.user_ids, **how)
    else:
        found = model.recommend_from_histories(request.histories or [], **how)
    return _answer(served, found, exchange)


def _similar(served: Served, request: SimilarRequest, exchange: Exchange) -> Response:
    check_time()
    allowed = ItemFilter(request.allowed, request.blocked)
    found = served.recommender.similar_items(request.item_ids, request.k, allowed)
    return _answer(served, found, exchange)


def _answer(served: Served, found: Recommendations, exchange: Exchange) -> Response:
    # Straight to JSON: validating the answer would take longer than computing it. Row by row, as
    # all at once would keep other threads waiting, for a million ids half a second.
    rows = b",".join(map(to_json, found.rows()))
    answer = b'{"model":%b,"results":[%b]}' % (to_json(served.version), rows)
    exchange.answer(served.version, found)
    kind = Response if len(answer) <= PIECE else LargeAnswer
    return kind(answer, media_type="application/json")
