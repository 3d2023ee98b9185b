"""Search engines and vector databases to export to, each with what its readers ask."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.documents.blocks import blocks
from tests.export.search_server import Node, serving
from twotower.export.destination import DESTINATIONS, Destination

CLIENTS = {
    "opensearch": "opensearchpy.OpenSearch",
    "elasticsearch": "elasticsearch.Elasticsearch",
    "milvus": "pymilvus.MilvusClient",
}
"""What readers import."""


class Engine(Protocol):
    """A destination, and what its readers see."""

    name: str
    place: str

    def client(self) -> Any:
        """Of readers."""

    def names(self) -> set[str]:
        """All indices or collections."""

    def led_to(self, alias: str) -> str:
        """What the alias is of."""

    def make_foreign(self, name: str) -> None:
        """What somebody else might have made."""


def row_of(engine: Engine) -> Destination:
    """The destination, with batches of ten rows."""
    row = DESTINATIONS[engine.name]
    assert isinstance(row, Destination)
    return replace(row, batch=10)


def documented(engine: Engine) -> Callable[..., list[Any]]:
    """The function `recommend` of docs/export.md."""
    (code,) = (
        block.text
        for block in blocks("docs/export.md")
        if block.language == "python" and f"= {CLIENTS[engine.name].split('.')[1]}(" in block.text
    )
    client, names = engine.client(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLIENTS[engine.name], lambda _address: client)
        exec(code, names)  # noqa: S102 - it is ours
    recommend: Callable[..., list[Any]] = names["recommend"]
    return recommend


class SearchEngine:
    """OpenSearch or Elasticsearch, as their clients see `Node`."""

    def __init__(self, name: str, place: str, node: Node) -> None:
        self.name, self.place, self.node = name, place, node

    def client(self) -> Any:
        if self.name == "opensearch":
            from opensearchpy import OpenSearch

            return OpenSearch([self.place])
        from elasticsearch import Elasticsearch

        return Elasticsearch([self.place])

    def names(self) -> set[str]:
        return set(self.node.indices)

    def led_to(self, alias: str) -> str:
        return self.node.aliases[alias]

    def make_foreign(self, name: str) -> None:
        self.node.indices[name] = {"mappings": {}}
        self.node.documents[name] = {}


class Milvus:
    """Milvus Lite, in this process."""

    name = "milvus"

    def __init__(self, folder: Path) -> None:
        from pymilvus import MilvusClient

        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.place = str(folder / "milvus.db")
        self._client = MilvusClient(self.place)

    def client(self) -> Any:
        return self._client

    def names(self) -> set[str]:
        return set(self._client.list_collections())

    def led_to(self, alias: str) -> str:
        collection: str = self._client.describe_alias(alias)["collection_name"]
        return collection

    def make_foreign(self, name: str) -> None:
        self._client.create_collection(name, dimension=2)


@contextmanager
def running(name: str, folder: Path) -> Iterator[Engine]:
    """The engine of that name, with nothing in it."""
    module = CLIENTS[name].split(".")[0]
    pytest.importorskip(module, reason=f'needs pip install "twotower[{name}]"')
    if name == "milvus":
        pytest.importorskip("milvus_lite", reason="needs pip install milvus-lite")
        yield Milvus(folder)
    else:
        node = Node()
        with serving(node) as place:
            yield SearchEngine(name, place, node)
