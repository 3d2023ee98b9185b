"""What /metrics tells."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.serving.conftest import LINE, write_model

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from twotower.serving.http_app import ServeOptions, create_app
from twotower.serving.live_model import FolderWatcher, LiveModel

PAGE = REPOSITORY / "docs" / "monitoring.md"


def samples(text: str) -> dict[str, float]:
    """Values by name and labels, as the text has them."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    folder = write_model(tmp_path / "m", [[1.0], [-1.0]], LINE, [(0, 4), (1, 0)])
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0, max_body=200))) as client:
        yield client


@pytest.fixture
def counted(client: TestClient) -> Callable[[], dict[str, float]]:
    return lambda: samples(client.get("/metrics").text)


def test_requests_are_counted_by_route_and_status(
    client: TestClient, counted: Callable[[], dict[str, float]]
) -> None:
    before = counted()
    assert before['twotower_requests_total{route="/recommend",status="503"}'] == 0
    for body in ({"user_ids": [100]}, {"user_ids": [100, 7]}, {"user_ids": ["x"]}):
        client.post("/recommend", json=body)
    client.post("/recommend", content=b"[" * 300, headers={"content-type": "application/json"})
    client.get("/health")
    client.get("/no?such")
    client.get("/such/../no")
    after = counted()

    def grown(route: str, status: int) -> float:
        name = f'twotower_requests_total{{route="{route}",status="{status}"}}'
        return after[name] - before.get(name, 0)

    assert [grown("/recommend", status) for status in (200, 422, 413)] == [2, 1, 1]
    assert grown("/health", 200) == 1
    assert grown("other", 404) == 2
    assert grown("/metrics", 200) == 1  # the one before
    seconds = 'twotower_request_duration_seconds_count{route="/recommend"}'
    assert after[seconds] - before[seconds] == 4
    assert after["twotower_requests_in_progress"] == 1  # this one
    assert not any("such" in name for name in after)


def test_rows_are_counted_by_source_and_empty_ones_apart(
    client: TestClient, counted: Callable[[], dict[str, float]]
) -> None:
    client.post("/recommend", json={"user_ids": [100, 101, 7]})
    client.post("/recommend", json={"user_ids": [7], "allowed": []})
    client.post("/recommend", json={"histories": [[1000], []]})
    client.post("/similar", json={"item_ids": [1000, 5, 6]})
    found = counted()

    def rows(name: str) -> dict[str, float]:
        pattern = re.compile(rf'twotower_{name}_total{{route="(.*)",source="(.*)"}}')
        matches = ((pattern.fullmatch(key), value) for key, value in found.items() if value)
        return {f"{match[1]} {match[2]}": value for match, value in matches if match}

    assert rows("rows") == {"/recommend model": 2, "/recommend popularity": 3,
                            "/recommend fold-in": 1, "/similar model": 1,
                            "/similar unknown": 2}  # fmt: skip
    assert rows("rows_empty") == {"/recommend popularity": 1, "/similar unknown": 2}


def test_the_model_is_told_and_what_becomes_of_its_folder(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0], [-1.0]], LINE, [])
    os.utime(folder / "model_meta.json", (1e9, 1e9))
    live = LiveModel(folder)
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0), live)) as client:
        found = samples(client.get("/metrics").text)
        assert found[f'twotower_model_info{{version="{live.served.version}"}}'] == 1
        assert found["twotower_model_written_timestamp_seconds"] == 1e9
        assert found["twotower_model_loaded_timestamp_seconds"] > 1.7e9
        assert (found["twotower_model_users"], found["twotower_model_items"]) == (2, 5)
        assert found["twotower_model_problem"] == 0
        (folder / "model_meta.json").write_text("{")
        live.refresh()
        assert samples(client.get("/metrics").text)["twotower_model_problem"] == 1


def test_a_folder_that_breaks_is_logged_once_and_counted_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    watcher = FolderWatcher(LiveModel(folder), 1, told.append)
    watcher._look()
    (folder / "model_meta.json").write_text("{")
    for _ in range(3):
        watcher._look()
    assert told == ["failed"] * 3
    [record] = caplog.records
    assert record.getMessage().startswith("still serving model ")
    write_model(folder, [[-1.0]], LINE, [])
    watcher._look()
    assert told[3:] == ["loaded"]


def test_whoever_asks_needs_the_key(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    app = create_app(ServeOptions(artifacts=folder, poll=0), keys=(b"key",))
    client = TestClient(app)
    assert client.get("/metrics").status_code == 401
    answer = client.get("/metrics", headers={"authorization": "Bearer key"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'twotower_requests_total{route="/metrics",status="401"} 1.0' in answer.text


def test_the_document_lists_every_metric(client: TestClient) -> None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    text = PAGE.read_text(encoding="utf-8")
    for family in families:
        if not family.name.startswith("twotower_") or family.name.endswith("_created"):
            continue
        name = family.name + "_total" * (family.type == "counter")
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        [row] = re.findall(rf"^\| `{name}` \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
        assert row[1] == family.documentation
        assert set(re.findall(r"`(\w+)`", row[0])) == labels


DEAD = """
import os, sys
from prometheus_client import CollectorRegistry, Gauge
gauge = Gauge("twotower_connections", "Open connections.", registry=CollectorRegistry(),
              multiprocess_mode="livesum")
gauge.inc(7)
print(os.getpid())
"""
BESIDE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from twotower.serving.metrics import Metrics
live = SimpleNamespace(problem=None, served=SimpleNamespace(version="v", loaded=1, written=1,
    recommender=SimpleNamespace(num_users=1, num_items=1)))
metrics = Metrics(live)
metrics.answered("/recommend", 200, 0.003)
metrics.connections.inc()
if len(sys.argv) > 1:
    sys.stdin.read()
else:
    print(metrics.text().decode(), end="")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are not looked for there")
def test_one_process_tells_of_all_and_forgets_what_a_dead_one_had_open(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    common: dict[str, Any] = {"env": environment, "text": True, "stdout": subprocess.PIPE}
    dead = subprocess.run([sys.executable, "-c", DEAD], check=True, **common)
    assert (tmp_path / f"gauge_livesum_{dead.stdout.strip()}.db").exists()
    other = [sys.executable, "-c", BESIDE, "stay"]
    with subprocess.Popen(other, stdin=subprocess.PIPE, **common) as beside:
        while len(list(tmp_path.glob("gauge_livesum_*.db"))) < 2:
            assert beside.poll() is None
        told = subprocess.run([sys.executable, "-c", BESIDE], check=True, **common).stdout
        beside.communicate("")
    found = samples(told)
    assert found["twotower_connections"] == 2
    assert found['twotower_requests_total{route="/recommend",status="200"}'] == 2
    bucket = 'twotower_request_duration_seconds_bucket{le="0.005",route="/recommend"}'
    assert found[bucket] == 2
