"""Export to Qdrant, which its client imitates in this process."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.command import error_of
from tests.documents.blocks import blocks
from tests.export.conftest import (
    NUM_ITEMS,
    CutShortError,
    cut_short,
    expected,
    export,
    rows_of,
    write,
)
from twotower.common.errors import ConfigError, ExportError
from twotower.data.features import Categorical, Features
from twotower.export.destination import DESTINATIONS, Destination, Place, Schema

qdrant_client = pytest.importorskip("qdrant_client", reason='needs pip install "twotower[qdrant]"')
from qdrant_client import QdrantClient, models  # noqa: E402

from twotower.export.qdrant import QdrantWriter, open_qdrant  # noqa: E402

DOT = models.VectorParams(size=4, distance=models.Distance.DOT)


class Unclosed(QdrantClient):
    """A server outlives the connection to it."""

    def close(self, *_: Any, **__: Any) -> None:
        pass


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    server = Unclosed(":memory:")
    yield server
    QdrantClient.close(server)


@pytest.fixture
def row(client: QdrantClient) -> Destination:
    """A destination of small batches on that server."""

    def opened(url: str, schema: Schema) -> QdrantWriter:
        return QdrantWriter(client, url, schema)

    return Destination("qdrant", "x", Place.URL, opened, batch=10)


def collections(client: QdrantClient) -> set[str]:
    return {one.name for one in client.get_collections().collections}


def led_to(client: QdrantClient, name: str = "items") -> str:
    aliases = client.get_aliases().aliases
    return next(one.collection_name for one in aliases if one.alias_name == name)


def documented_recommend() -> Any:
    """The function in docs/export.md."""
    (code,) = (
        block.text
        for block in blocks("docs/export.md")
        if block.language == "python" and "QdrantClient" in block.text
    )
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is ours
    return names["recommend"]


@pytest.mark.filterwarnings("ignore:Local mode performs exact")
def test_the_documented_request_is_answered_as_by_the_recommender(
    client: QdrantClient, row: Destination, model: Path, titles: Path, monkeypatch: Any
) -> None:
    export(model, row, "http://x", titles=titles)
    export(model, row, "http://x", "users")
    monkeypatch.setattr(qdrant_client, "QdrantClient", lambda _: client)
    recommend = documented_recommend()
    for user in (42, 103, 105):
        assert recommend(user, k=4) == expected(model, user, 4)
    red = recommend(103, k=3, colour="red")
    best = [item for item in expected(model, 103, 23) if (item - 1000) % 3 == 2]
    assert red == best[:3]


def test_points_are_positions_with_what_is_filtered_by(
    client: QdrantClient, row: Destination, model: Path, titles: Path
) -> None:
    export(model, row, "http://x", titles=titles)
    (point,) = client.retrieve("items", [1], with_vectors=True)
    assert point.payload == {
        "item_id": 1001, "position": 1, "interactions": 2, "colour": "green", "price": 1.99,
        "tags": ["sale"], "title_feature": "Dr",
    }  # fmt: skip
    assert point.vector == pytest.approx(rows_of(model).vectors[1].tolist())
    assert client.count("items", exact=True).count == 23


def test_readers_go_from_a_whole_version_to_the_next(
    client: QdrantClient, row: Destination, model: Path, tmp_path: Path
) -> None:
    folders = [model, *(write(tmp_path / str(seed), seed=seed) for seed in (1, 2))]
    first, second, third = (rows_of(folder).schema.target for folder in folders)
    export(folders[0], row, "http://x")
    with pytest.raises(CutShortError):
        export(folders[1], cut_short(row, 20), "http://x")
    assert led_to(client) == first
    assert client.count("items").count == 23
    assert client.count(second).count == 20
    said = export(folders[1], row, "http://x")
    assert said[0] == f"{second}: going on after row 20 of 23"
    assert led_to(client) == second
    assert collections(client) == {first, second}
    export(folders[2], row, "http://x")
    assert led_to(client) == third
    assert collections(client) == {second, third}
    assert "is up to date" in export(folders[2], row, "http://x")[0]
    said = export(folders[1], row, "http://x")  # back to the model before
    assert said[0] == f"{second}: going on after row 23 of 23"
    assert led_to(client) == second


def test_requests_are_of_bounded_size(
    client: QdrantClient, row: Destination, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def upsert(name: str, points: models.Batch, wait: bool) -> None:
        asked.append(len(points.ids))
        QdrantClient.upsert(client, name, points, wait=wait)

    monkeypatch.setattr(client, "upsert", upsert)
    monkeypatch.setattr("twotower.export.qdrant.REQUEST", 1_000)  # a row: 96 and about 90 bytes
    export(model, row, "http://x")
    assert max(asked) < 10
    assert sum(asked) == 23
    found = client.scroll("items", limit=100)[0]
    assert [point.payload and point.payload["item_id"] for point in found] == [*range(1000, 1023)]
    asked.clear()
    monkeypatch.setattr("twotower.export.qdrant.REQUEST", 1)
    export(model, row, "http://x", "users")
    assert asked == [1] * 6


def test_keys_that_are_paths_to_qdrant_are_quoted(
    client: QdrantClient, row: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("colour", "Größe_x-2", "a.b", "my price", 'a"b')
    column = Categorical(np.arange(NUM_ITEMS) % 3, ("green", "red"))
    features = Features(dict.fromkeys(names, column))
    indexed: list[str] = []
    monkeypatch.setattr(client, "create_payload_index", lambda _, key, __: indexed.append(key))
    folder = write(tmp_path / "model", features=features)
    with pytest.raises(CutShortError):
        export(folder, cut_short(row, 10), "http://x")
    given = ["item_id", "position", "interactions", "Größe_x-2", '"a.b"', "colour", '"my price"']
    assert indexed == given
    export(folder, row, "http://x")  # it cannot know how far the first came
    assert indexed == given * 2
    assert "is up to date" in export(folder, row, "http://x")[0]
    assert indexed == given * 2
    is_red = models.FieldCondition(key='"a.b"', match=models.MatchValue(value="red"))
    assert client.count("items", models.Filter(must=[is_red])).count == 7


def test_what_is_not_ours_is_left_alone(
    client: QdrantClient, row: Destination, model: Path
) -> None:
    client.create_collection("items", vectors_config=DOT)
    with pytest.raises(ExportError, match="items is a collection, not an alias"):
        export(model, row, "http://x")
    client.delete_collection("items")
    client.create_collection("theirs", vectors_config=DOT)
    to_theirs = models.CreateAlias(collection_name="theirs", alias_name="items")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=to_theirs)])
    with pytest.raises(ExportError, match="theirs was not made by twotower export"):
        export(model, row, "http://x")
    assert collections(client) == {"theirs"}
    client.delete_collection("theirs")
    client.create_collection("items_0123456789ab", vectors_config=DOT)
    export(model, row, "http://x")
    assert collections(client) == {"items_0123456789ab", rows_of(model).schema.target}


@pytest.mark.slow  # its client asks again
def test_no_server(model: Path) -> None:
    with pytest.raises(
        ExportError, match=r"^http://127.0.0.1:9: Qdrant does not answer: .*refused"
    ):
        export(model, DESTINATIONS["qdrant"], "http://me:pw@127.0.0.1:9")


@pytest.mark.parametrize("url", ["localhost:6333", "qdrant.example.com:6333/x", "grpc://host"])
def test_urls_that_are_not_taken(model: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="must begin with http://"):
        export(model, DESTINATIONS["qdrant"], url)


class Refusing(BaseHTTPRequestHandler):
    """A server with a key."""

    def do_GET(self) -> None:
        self.server.keys.append(self.headers["api-key"])  # type: ignore[attr-defined]
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"forbidden: invalid key s3cret-one")

    def log_message(self, *_: Any) -> None:
        pass


def test_the_key_is_that_of_the_environment_and_not_shown(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "s3cret-one")
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.keys = []  # type: ignore[attr-defined]
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        arguments = ["export", "--to", "qdrant", "--url", url, "--artifacts", model]
        said = error_of(*arguments)
        assert server.keys == ["s3cret-one"]  # type: ignore[attr-defined]
    refused = "Qdrant refuses: 403 Forbidden forbidden: invalid key ***"
    assert said == f"{url}: {refused}; is $QDRANT_API_KEY right?\n"


def test_a_key_that_goes_over_a_network_unencrypted_is_pointed_out(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "s3cret-one")

    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr("twotower.export.qdrant.QdrantClient", unreachable)
    for url in ("http://db:6333", "https://db:6333", "http://localhost:6333"):
        with pytest.raises(ExportError, match="does not answer"):
            export(model, DESTINATIONS["qdrant"], url)
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("note: http://db:6333: $QDRANT_API_KEY goes over the network")


@pytest.mark.slow  # a second to open it
def test_a_folder_serves_for_trying_out(model: Path, tmp_path: Path) -> None:
    export(model, DESTINATIONS["qdrant"], str(tmp_path / "db"))
    assert "is up to date" in export(model, DESTINATIONS["qdrant"], str(tmp_path / "db"))[0]
    held = QdrantClient(path=str(tmp_path / "db"))
    with pytest.raises(ExportError, match="already accessed"):
        open_qdrant(str(tmp_path / "db"), rows_of(model).schema)
    held.close()
