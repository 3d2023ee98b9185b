"""What the service counts, for Prometheus; it alone imports prometheus_client."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
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
from twotower.serving.exposures import Kept
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
        self._registry = CollectorRegistry()
        self._requests = self._counters(
            "requests", "Requests, by status of the answer; 499: the client hung up before it.",
            "route", "status",
        )  # fmt: skip
        self._seconds = cache(
            Histogram(
                "twotower_request_duration_seconds",
                "From the head of a request to the end of its answer.",
                ["route"],
                buckets=BUCKETS,
                registry=self._registry,
            ).labels
        )
        self.in_progress = self._gauge("requests_in_progress", "Requests that are being answered.")
        self._rows = self._counters(
            "rows", "Rows of answers, by what they were computed from.", "route", "source"
        )
        self._empty = self._counters(
            "rows_empty", "Rows of answers without any item.", "route", "source"
        )
        self.connections = self._gauge("connections", "Open connections.")
        self._closed = self._counters(
            "connections_closed", "Connections that the service broke off.", "reason"
        )
        self._reloads = self._counters(
            "model_reloads", "Attempts of a process to load another model.", "outcome"
        )
        self._exposures = self._counters(
            "exposures", "Rows for the exposure log: written, or lost.", "outcome"
        )
        self._begin()
        self._shown = self._of_all(live)

    def _counters(self, name: str, what: str, *labels: str) -> Callable[..., Counter]:
        """By the values of labels; kept, as finding one takes longer than counting."""
        return cache(Counter(f"twotower_{name}", what, labels, registry=self._registry).labels)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"twotower_{name}", what, registry=self._registry, multiprocess_mode="livesum")

    def _begin(self) -> None:
        """Show at 0 what has not happened yet."""
        for route, sources in ANSWERING.items():
            for source in sources:
                self._rows(route, source)
                self._empty(route, source)
            for status in STATUSES:
                self._requests(route, status)
        for route in (*ROUTES, OTHER):
            self._seconds(route)
        for reason in get_args(Closed):
            self._closed(reason)
        for outcome in get_args(Refreshed):
            self._reloads(outcome)
        for outcome in get_args(Kept):
            self._exposures(outcome)

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
        self._requests(route, status).inc()
        self._seconds(route).observe(seconds)

    def count_rows(self, route: str, found: Recommendations) -> None:
        """Count the rows of an answer."""
        for source in set(found.source):
            self._rows(route, source).inc(found.source.count(source))
        if all(found.item_ids):
            return
        for source, items in zip(found.source, found.item_ids, strict=True):
            if not items:
                self._empty(route, source).inc()

    def closed(self, reason: Closed) -> None:
        """Count a connection that the service broke off."""
        self._closed(reason).inc()

    def refreshed(self, outcome: Refreshed) -> None:
        """Count an attempt to load another model."""
        self._reloads(outcome).inc()

    def exposed(self, outcome: Kept, rows: int) -> None:
        """Count rows for the exposure log."""
        self._exposures(outcome).inc(rows)


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
