"""Exports to OpenSearch, Elasticsearch and Milvus: the same promises, kept by each.

Milvus is Milvus Lite, which is the real thing. No node of the others is at hand: their clients talk
to `search_server`, which answers as the references of both say.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.export.engines import Engine, SearchEngine, running
from twotower.common.errors import ConfigError, ExportError
from twotower.export.destination import POSITION, Batch, Field, Kind, Schema, Writer

VERSIONS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc")
FIELDS = (
    Field("item_id", Kind.INTEGER),
    Field(POSITION, Kind.INTEGER),
    Field("title", Kind.TEXT),
    Field("category", Kind.CATEGORY),
    Field("tags", Kind.CATEGORIES),
    Field("price", Kind.NUMBER),
)
ROWS = 7


ELASTICSEARCH = pytest.param("elasticsearch", marks=pytest.mark.slow)  # seconds to import
MILVUS = pytest.param("milvus", marks=pytest.mark.slow)


@pytest.fixture(params=["opensearch", ELASTICSEARCH, MILVUS])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with running(request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=["opensearch", ELASTICSEARCH])
def search_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchEngine]:
    with running(request.param, tmp_path) as engine:
        assert isinstance(engine, SearchEngine)
        yield engine


def schema_of(version: str = VERSIONS[0], dim: int = 2) -> Schema:
    return Schema("items", version, version * 5, dim, ROWS, FIELDS)


def vectors(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, 2)).astype(np.float32)


def batches(of: np.ndarray, size: int = 4) -> list[Batch]:
    table = pa.RecordBatch.from_pydict(
        {
            "item_id": [1000 + row for row in range(ROWS)],
            POSITION: list(range(ROWS)),
            "title": [None, *(f"item {row}" for row in range(1, ROWS))],
            "category": ["audio" if row % 2 else "kitchen" for row in range(ROWS)],
            "tags": [["new", "red"][: row % 3] for row in range(ROWS)],
            "price": [row / 2 for row in range(ROWS)],
        }
    )
    return [Batch(table[low : low + size], of[low : low + size]) for low in range(0, ROWS, size)]


def export(engine: Engine, version: str, of: np.ndarray) -> None:
    writer = engine.open(schema_of(version))
    fill(writer, of)
    writer.publish()
    writer.close()


def fill(writer: Writer, of: np.ndarray) -> None:
    for batch in batches(of):
        writer.write(batch)


def best(of: np.ndarray, query: np.ndarray, k: int, rows: Any = slice(None)) -> list[int]:
    ids = np.arange(ROWS)[rows]
    return (1000 + ids[np.argsort(-(of[rows] @ query), kind="stable")[:k]]).tolist()


QUERY = np.float32([0.3, -1.0])


def test_the_best_rows_are_found_by_inner_product(engine: Engine) -> None:
    export(engine, VERSIONS[0], vectors())
    assert engine.top("items", QUERY, 4) == best(vectors(), QUERY, 4)
    odd = slice(1, None, 2)
    assert engine.top("items", QUERY, 2, category="audio") == best(vectors(), QUERY, 2, odd)


def test_an_export_that_was_cut_short_goes_on(engine: Engine) -> None:
    first, second = batches(vectors())
    writer = engine.open(schema_of())
    assert writer.existing() == 0
    writer.write(first)
    writer.close()
    writer = engine.open(schema_of())
    assert writer.existing() == len(first)
    assert not writer.is_current()
    writer.write(first)  # again: replaced by the same
    assert writer.existing() == len(first)
    writer.write(second)
    assert writer.existing() == ROWS
    writer.publish()
    writer.close()
    assert engine.top("items", QUERY, ROWS) == best(vectors(), QUERY, ROWS)
    assert engine.open(schema_of()).is_current()


def test_readers_see_a_new_version_when_it_is_published(engine: Engine) -> None:
    export(engine, VERSIONS[0], vectors())
    writer = engine.open(schema_of(VERSIONS[1]))
    fill(writer, vectors(1))
    assert engine.top("items", QUERY, 3) == best(vectors(), QUERY, 3)
    writer.publish()
    assert engine.top("items", QUERY, 3) == best(vectors(1), QUERY, 3)
    assert writer.is_current()


def test_the_version_before_is_kept_and_older_ones_are_dropped(engine: Engine) -> None:
    engine.make_foreign("items_dddddddddddd")
    engine.make_foreign("items_of_somebody")
    engine.open(schema_of("eeeeeeeeeeee")).write(batches(vectors())[0])  # and never finished
    for seed, version in enumerate(VERSIONS):
        export(engine, version, vectors(seed))
    kept = ["items_bbbbbbbbbbbb", "items_cccccccccccc"]
    assert engine.names() == [*kept, "items_dddddddddddd", "items_of_somebody"]
    export(engine, VERSIONS[1], vectors(1))  # back to the one before
    assert engine.names()[:2] == kept
    assert engine.top("items", QUERY, 3) == best(vectors(1), QUERY, 3)


@pytest.mark.parametrize("name", ["items", "items_aaaaaaaaaaaa"])
def test_what_others_have_made_is_refused_and_left(engine: Engine, name: str) -> None:
    engine.make_foreign(name)
    with pytest.raises(ExportError, match=f"'{name}' is no .* made, so it is left as it is"):
        engine.open(schema_of())
    assert engine.names() == [name]


def test_a_row_that_does_not_fit_is_one_line(engine: Engine) -> None:
    writer = engine.open(schema_of(dim=3))
    with pytest.raises(ExportError) as raised:
        writer.write(batches(vectors())[0])
    assert "\n" not in str(raised.value)
    assert writer.existing() == 0


def test_documents_are_typed_so_that_queries_can_filter(search_engine: SearchEngine) -> None:
    export(search_engine, VERSIONS[0], vectors())
    index = search_engine.node.indices["items_aaaaaaaaaaaa"]
    mappings = index["mappings"]
    types = {name: field["type"] for name, field in mappings["properties"].items()}
    assert types == {
        "item_id": "long",
        "position": "long",
        "title": "text",
        "category": "keyword",
        "tags": "keyword",
        "price": "double",
        "vector": {"opensearch": "knn_vector", "elasticsearch": "dense_vector"}[search_engine.name],
    }
    assert mappings["_meta"] == schema_of().mark
    assert search_engine.node.documents["items_aaaaaaaaaaaa"]["0"] == {
        "item_id": 1000,
        "position": 0,
        "category": "kitchen",
        "tags": [],
        "price": 0.0,
        "vector": vectors()[0].tolist(),
    }


def test_rows_that_a_busy_node_refuses_are_sent_again(
    search_engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    writer = search_engine.open(schema_of())
    search_engine.node.busy = 2
    fill(writer, vectors())
    assert writer.existing() == ROWS


@pytest.mark.parametrize("name", ["opensearch", ELASTICSEARCH])
def test_credentials_come_from_the_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(name, tmp_path) as engine:
        assert isinstance(engine, SearchEngine)
        engine.node.key = "Basic YW5hOnMzY3JldA=="  # ana:s3cret
        with pytest.raises(ExportError, match="401"):
            engine.open(schema_of())
        monkeypatch.setenv(f"{name.upper()}_USERNAME", "ana")
        monkeypatch.setenv(f"{name.upper()}_PASSWORD", "s3cret")
        engine.open(schema_of())
        assert engine.names() == ["items_aaaaaaaaaaaa"]


@pytest.mark.slow
def test_a_key_of_elasticsearch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running("elasticsearch", tmp_path) as engine:
        assert isinstance(engine, SearchEngine)
        engine.node.key = "ApiKey abcd"
        monkeypatch.setenv("ELASTICSEARCH_API_KEY", "abcd")
        engine.open(schema_of())


@pytest.mark.parametrize("name", ["opensearch", ELASTICSEARCH])
def test_a_node_that_is_down_is_one_line(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as engine:
        pass  # and is gone
    with pytest.raises(ExportError, match=rf"^{engine.place}: \w+ fails: .*[Cc]onnection"):
        engine.open(schema_of())


@pytest.mark.slow
def test_a_url_without_a_port_is_refused() -> None:
    pytest.importorskip("elasticsearch", reason='needs pip install "twotower[elasticsearch]"')
    from twotower.export.elasticsearch import open_elasticsearch

    with pytest.raises(ConfigError, match=r"--url http://shop: .*port"):
        open_elasticsearch("http://shop", schema_of())
