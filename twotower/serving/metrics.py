"""What the service counts, for Prometheus; it alone imports prometheus_client."""

import os
import sys
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from twotower.serving.connection import Closed
from twotower.serving.live_model import LiveModel, Refreshed
from twotower.serving.recommendations import Recommendations

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder in which processes leave what they count, so that each can
answer for all; prometheus_client reads it when it is imported."""
TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""The format that every version of Prometheus reads."""
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
"""Upper bounds of latencies, in seconds."""
ANSWERING = {"/recommend": ("model", "history", "fold-in", "popularity"),
             "/similar": ("model", "unknown")}  # fmt: skip
"""Routes whose answers have rows, and the sources of these."""
ROUTES = (*ANSWERING, "/", "/health", "/metrics", "/docs", "/openapi.json")
OTHER = "other"
"""Every other path: clients invent them."""
STATUSES = (200, 400, 401, 413, 422, 500, 503)
"""Of ANSWERING; these are there from the start, so that a first error is an increase."""


class ModelFacts(Collector):
    """What there is to say of the model that this process serves, at the moment."""

    def __init__(self, live: LiveModel) -> None:
        self._live = live

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        served, problem = self._live.served, self._live.problem
        info = GaugeMetricFamily(
            "twotower_model_info", "1, with the version of the served model.", labels=["version"]
        )
        info.add_metric([served.version], 1)
        yield info
        for name, what, value in (
            ("loaded_timestamp_seconds", "When the served model was loaded.", served.loaded),
            ("written_timestamp_seconds", "When its model_meta.json was written.", served.written),
            ("users", "Users that the served model knows.", served.recommender.num_users),
            ("items", "Items that the served model knows.", served.recommender.num_items),
            ("problem", "1 if the folder's content cannot be served.", problem is not None),
        ):
            yield GaugeMetricFamily(f"twotower_model_{name}", what, float(value))


class Metrics:
    """Counts what one process does; `text` tells what all processes of the service did."""

    def __init__(self, live: LiveModel) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "twotower_requests", "Requests answered, by route and status; 499: the client hung up.",
            ["route", "status"], registry=own,
        )  # fmt: skip
        self._seconds = Histogram(
            "twotower_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            ["route"], buckets=BUCKETS, registry=own,
        )  # fmt: skip
        self.in_progress = Gauge(
            "twotower_requests_in_progress", "Requests that are being answered.",
            registry=own, multiprocess_mode="livesum",
        )  # fmt: skip
        self._rows = Counter(
            "twotower_rows", "Rows of answers, by what they were computed from.",
            ["route", "source"], registry=own,
        )  # fmt: skip
        self._empty = Counter(
            "twotower_rows_empty", "Rows of answers without any item.",
            ["route", "source"], registry=own,
        )  # fmt: skip
        self.connections = Gauge(
            "twotower_connections", "Open connections.",
            registry=own, multiprocess_mode="livesum",
        )  # fmt: skip
        self._closed = Counter(
            "twotower_connections_closed", "Connections that the service broke off, by reason.",
            ["reason"], registry=own,
        )  # fmt: skip
        self._reloads = Counter(
            "twotower_model_reloads", "Attempts to load another model, by outcome.",
            ["outcome"], registry=own,
        )  # fmt: skip
        self.exposures = Counter(
            "twotower_exposures", "Rows that were written to the exposure log.", registry=own
        )
        self.exposures_lost = Counter(
            "twotower_exposures_lost", "Rows that could not be written to it.", registry=own
        )
        self._begin()
        self._shown = self._of_all(live)

    def _begin(self) -> None:
        """Show at 0 what has not happened yet."""
        for route, sources in ANSWERING.items():
            for source in sources:
                self._rows.labels(route, source)
                self._empty.labels(route, source)
            for status in STATUSES:
                self._requests.labels(route, status)
        for route in (*ROUTES, OTHER):
            self._seconds.labels(route)
        for reason in get_args(Closed):
            self._closed.labels(reason)
        for outcome in get_args(Refreshed):
            self._reloads.labels(outcome)

    def _of_all(self, live: LiveModel) -> CollectorRegistry:
        """What is shown: of one process also memory and processor time, which do not add up."""
        if folder := os.environ.get(SHARED):
            _forget_the_dead(Path(folder))
            shown = CollectorRegistry()
            MultiProcessCollector(shown, folder)
        else:
            shown = self._registry
            ProcessCollector(registry=shown)
        shown.register(ModelFacts(live))
        return shown

    def text(self) -> bytes:
        """Everything, in the format TEXT."""
        return generate_latest(self._shown)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_rows(self, route: str, found: Recommendations) -> None:
        """Count the rows of an answer."""
        for source, count in Tally(found.source).items():
            self._rows.labels(route, source).inc(count)
        if not found.counts.all():
            empty = (source for source, n in zip(found.source, found.counts, strict=True) if not n)
            for source, count in Tally(empty).items():
                self._empty.labels(route, source).inc(count)

    def closed(self, reason: Closed) -> None:
        """Count a connection that the service broke off."""
        self._closed.labels(reason).inc()

    def refreshed(self, outcome: Refreshed) -> None:
        """Count an attempt to load another model."""
        self._reloads.labels(outcome).inc()


def _forget_the_dead(folder: Path) -> None:
    """Leave out what processes that were killed had open; what they had counted remains."""
    if sys.platform == "win32":
        return
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except OSError:
            mark_process_dead(pid, str(folder))
