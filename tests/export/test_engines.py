"""Exports to OpenSearch, Elasticsearch and Milvus: the same promises, kept by each.

Milvus is Milvus Lite, which is the real thing. No node of the others is at hand: their clients talk
to `search_server`, which answers as the references of both say.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.export.conftest import CutShortError, cut_short, expected, export, rows_of, write
from tests.export.engines import Engine, SearchEngine, documented, row_of, running
from twotower.common.errors import ConfigError, ExportError

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


def test_the_documented_request_is_answered_as_by_the_recommender(
    engine: Engine, model: Path
) -> None:
    export(model, row_of(engine), engine.place)
    export(model, row_of(engine), engine.place, "users")
    recommend = documented(engine)
    for user in (42, 103, 105):
        assert recommend(user, k=4) == expected(model, user, 4)
    best = [item for item in expected(model, 103, 23) if (item - 1000) % 3 == 2]
    assert recommend(103, k=3, colour="red") == best[:3]


def test_ids_that_are_text(engine: Engine, tmp_path: Path) -> None:
    model = write(tmp_path / "model", text=True)
    export(model, row_of(engine), engine.place)
    export(model, row_of(engine), engine.place, "users")
    assert documented(engine)(103, k=4) == expected(model, 103, 4)


def test_readers_go_from_a_whole_version_to_the_next(
    engine: Engine, model: Path, tmp_path: Path
) -> None:
    row, place = row_of(engine), engine.place
    folders = [model, *(write(tmp_path / str(seed), seed=seed) for seed in (1, 2))]
    first, second, third = (rows_of(folder).schema.target for folder in folders)
    others = {"items_0123456789ab", "items_of_somebody"}
    for other in others:
        engine.make_foreign(other)
    export(folders[0], row, place)
    with pytest.raises(CutShortError):
        export(folders[1], cut_short(row, 20), place)
    assert engine.led_to("items") == first
    said = export(folders[1], row, place)
    assert said[0] == f"{second}: going on after row 20 of 23"
    assert engine.led_to("items") == second
    assert engine.names() == {first, second} | others
    with pytest.raises(CutShortError):
        export(write(tmp_path / "3", seed=3), cut_short(row, 20), place)
    export(folders[2], row, place)
    assert engine.led_to("items") == third
    assert engine.names() == {second, third} | others
    assert "is up to date" in export(folders[2], row, place)[0]
    said = export(folders[1], row, place)  # back to the model before
    assert said[0] == f"{second}: going on after row 23 of 23"
    assert engine.led_to("items") == second
    assert engine.names() == {second, third} | others


def test_rows_are_replaced_by_the_same(engine: Engine, model: Path) -> None:
    rows = rows_of(model)
    writer = row_of(engine).open(engine.place, rows.schema)
    for _ in range(2):
        writer.write(next(rows.batches(0, 10)))
        assert writer.existing() == 10


@pytest.mark.parametrize("leads", [True, False])
def test_what_others_have_made_is_refused_and_left(
    engine: Engine, model: Path, *, leads: bool
) -> None:
    name = "items" if leads else rows_of(model).schema.target
    engine.make_foreign(name)
    with pytest.raises(ExportError, match=f"'{name}' is no .* made, so it is left as it is"):
        export(model, row_of(engine), engine.place)
    assert engine.names() == {name}


def test_a_row_that_does_not_fit_is_one_line(engine: Engine, model: Path) -> None:
    rows = rows_of(model)
    writer = row_of(engine).open(engine.place, replace(rows.schema, dim=3))
    with pytest.raises(ExportError) as raised:
        writer.write(next(rows.batches(0, 10)))
    assert "\n" not in str(raised.value)
    assert writer.existing() == 0


def test_documents_are_typed_so_that_queries_can_filter(
    search_engine: SearchEngine, model: Path, titles: Path
) -> None:
    export(model, row_of(search_engine), search_engine.place, titles=titles)
    schema = rows_of(model, titles=titles).schema
    mappings = search_engine.node.indices[schema.target]["mappings"]
    assert {name: field["type"] for name, field in mappings["properties"].items()} == {
        "item_id": "long",
        "position": "long",
        "title": "text",
        "interactions": "long",
        "colour": "keyword",
        "price": "double",
        "tags": "keyword",
        "title_feature": "keyword",
        "vector": {"opensearch": "knn_vector", "elasticsearch": "dense_vector"}[search_engine.name],
    }
    assert mappings["_meta"] == schema.mark
    assert search_engine.node.documents[schema.target]["1"] == {
        "item_id": 1001, "position": 1, "interactions": 2, "colour": "green", "price": 1.99,
        "tags": ["sale"], "title_feature": "Dr", "vector": rows_of(model).vectors[1].tolist(),
    }  # fmt: skip


def test_rows_that_a_busy_node_refuses_are_sent_again(
    search_engine: SearchEngine, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    search_engine.node.busy = 2
    export(model, row_of(search_engine), search_engine.place)
    assert search_engine.node.busy == 0


@pytest.mark.parametrize("name", ["opensearch", ELASTICSEARCH])
def test_credentials_come_from_the_environment(
    name: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(name, tmp_path) as engine:
        assert isinstance(engine, SearchEngine)
        engine.node.accepted = {"Basic YW5hOnMzY3JldA==", "ApiKey abcd"}  # ana:s3cret
        with pytest.raises(ExportError, match="401"):
            export(model, row_of(engine), engine.place)
        with monkeypatch.context() as patch:
            patch.setenv(f"{name.upper()}_USERNAME", "ana")
            patch.setenv(f"{name.upper()}_PASSWORD", "s3cret")
            export(model, row_of(engine), engine.place)
        if name == "elasticsearch":
            monkeypatch.setenv("ELASTICSEARCH_API_KEY", "abcd")
            assert "is up to date" in export(model, row_of(engine), engine.place)[0]


@pytest.mark.parametrize("name", ["opensearch", ELASTICSEARCH])
def test_a_node_that_is_down_is_one_line(name: str, model: Path, tmp_path: Path) -> None:
    with running(name, tmp_path) as engine:
        pass  # and is gone
    with pytest.raises(ExportError, match=rf"^{engine.place}: \w+ fails: .*[Cc]onnection"):
        export(model, row_of(engine), engine.place.replace("//", "//me:s3cret@"))


@pytest.mark.slow
def test_a_url_without_a_port_is_refused(model: Path, tmp_path: Path) -> None:
    wanted = pytest.raises(ConfigError, match=r"--url http://shop: .*port")
    with running("elasticsearch", tmp_path) as engine, wanted:
        export(model, row_of(engine), "http://shop")
