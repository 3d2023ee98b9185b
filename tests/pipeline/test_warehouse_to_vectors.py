"""From rows of PostgreSQL to recommendations by Qdrant, by ONNX without torch, and over HTTP."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import REPOSITORY
from tests.export.test_qdrant import documented_recommend
from tests.pipeline.commands import twotower
from tests.pipeline.project import SECRETS, Project, create_sample, in_one_process
from tests.pipeline.servers import free_port, running
from tests.search.store import server
from twotower.export.destination import Destination, Place
from twotower.export.run import export_rows, make_rows, open_model
from twotower.serving import Recommender

qdrant_client = pytest.importorskip("qdrant_client", reason='needs pip install "twotower[qdrant]"')
for library in ("onnx", "onnxruntime"):
    pytest.importorskip(library, reason='needs pip install "twotower[onnx]"')

TABLES = {
    "interactions": "user_id int, product_id int, bought_at timestamp, kind text",
    "users": "user_id int, name text, city text, age_group text, interest text, since date",
    "items": "product_id int, name text, category text, type text, brand text, price numeric(8, 2)",
}
QUERIES = {
    "interactions": "SELECT user_id, product_id AS item_id, bought_at AS timestamp, kind AS event "
    "FROM interactions",
    "users": "SELECT user_id, city, age_group, interest FROM users",
    "items": "SELECT product_id AS item_id, name, category, type, brand, price FROM items",
}
SETTINGS: dict[str, Any] = {
    "data.root": "data/fetched",
    "model.user_tower": "history",
    "model.history_decay": 0.2,
    "train.epochs": 2,
    "hpo.n_trials": 2,
    "hpo.search_space": {"epochs": {"type": "int", "low": 1, "high": 3}},
    "refit.seeds": 1,
}
WITHOUT_TORCH = """
import json, sys
from pathlib import Path
sys.modules["torch"] = None  # importing it fails
import numpy as np, onnxruntime
folder, histories, k = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
lines = (folder / "item_ids.jsonl").read_text().splitlines()
index = {json.loads(line): position for position, line in enumerate(lines)}
ids, vectors = list(index), np.load(folder / "item_vecs.npy")
contract = json.loads((folder / "onnx.json").read_text())
session = onnxruntime.InferenceSession(folder / "user_tower/1/model.onnx")
for history in histories:
    known = {"user_idx": [contract["indices"]["history_alone"]],
             "history": [[index[item] for item in history]]}
    inputs = {one["name"]: np.array(known.get(one["name"], [0]), one["type"])
              for one in contract["graphs"]["user_tower"]["inputs"]}
    [user] = session.run(["user_vector"], inputs)[0]
    best = np.argsort(-(vectors @ user), kind="stable")
    print([item for item in (ids[position] for position in best) if item not in history][:k])
"""
USERS = range(1, 1800, 30)
HISTORIES = [[12, 250], [1011, 908, 669, 77], [1709], list(range(5, 60))]
K = 5


@pytest.fixture(scope="module")
def database() -> Iterator[server.Server]:
    """The sample shop in PostgreSQL, under names of a warehouse."""
    import psycopg

    with server.running() as postgres:
        if postgres is None:
            pytest.skip("PostgreSQL is not installed")
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            for table, columns in TABLES.items():
                connection.execute(f"CREATE TABLE {table} ({columns})")
                rows = (REPOSITORY / f"data/sample/{table}.csv").read_bytes()
                into = f"COPY {table} FROM STDIN (FORMAT csv, HEADER)"
                with connection.cursor().copy(into) as copy:
                    copy.write(rows)
        yield postgres


def in_qdrant(project: Project, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The documented request, answered by an imitation of the server, filled as by the command."""
    from twotower.export.qdrant import QdrantWriter

    client = qdrant_client.QdrantClient(":memory:")
    with monkeypatch.context() as context:
        context.setattr(client, "close", lambda: None)  # a server outlives the connection to it
        row = Destination("qdrant", "x", Place.URL, lambda *where: QdrantWriter(client, *where))
        model, titles = (
            project.path(".artifacts_best"),
            project.path("data/prepared/titles.parquet"),
        )
        for vectors in ("items", "users"):
            rows = make_rows(*open_model(model), vectors, vectors, titles)
            export_rows(rows, row, "http://x", model, print)
        context.setattr(qdrant_client, "QdrantClient", lambda _: client)
        return documented_recommend()


@pytest.mark.filterwarnings("ignore:Local mode performs exact")
def test_from_rows_of_a_warehouse_to_recommendations_elsewhere(
    database: server.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = create_sample(tmp_path / "shop")
    shutil.rmtree(project.path("data/sample"))
    project.set("data.source", f"postgresql://me@127.0.0.1:{database.port}/db")
    for key, value in SETTINGS.items():
        project.set(key, value)
    for table, query in QUERIES.items():
        project.set(f"data.{table}.query", query)
    monkeypatch.setenv("PGPASSWORD", server.PASSWORD)
    twotower(project, "fetch")
    monkeypatch.delenv("PGPASSWORD")
    project.run(*in_one_process("prepare", "hpo", "refit"))

    model = Recommender.load(project.path(".artifacts_best"), mmap=False)
    expected = model.recommend(list(USERS), K).item_ids
    assert model.artifacts.config.user_tower == "history"
    recommend = in_qdrant(project, monkeypatch)
    assert [recommend(user, k=K) for user in USERS] == expected

    by_history = [model.recommend_from_history(items, K).item_ids[0] for items in HISTORIES]
    twotower(project, "export", "--to", "onnx", "--output", "towers")
    said = project.run("python", "-c", WITHOUT_TORCH, "towers", json.dumps(HISTORIES), str(K))
    assert [json.loads(line) for line in said.splitlines()] == by_history

    port, headers = free_port(), {"X-API-Key": SECRETS["TWOTOWER_API_KEY"]}
    serve = ["twotower", "serve", "--port", str(port)]
    with running(project, *serve, port=port, path="/health") as service:
        for name, asked, answered in (
            ("user_ids", list(USERS), expected),
            ("histories", HISTORIES, by_history),
        ):
            body = {name: asked, "k": K}
            answer = requests.post(
                f"{service.url}/recommend", json=body, headers=headers, timeout=60
            )
            assert [row["items"] for row in answer.json()["results"]] == answered
