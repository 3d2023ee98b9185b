"""Search engines and vector databases to export to, each with what its readers ask."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from tests.export.search_server import Node, serving
from twotower.export.destination import DESTINATIONS, Destination, Schema, Writer

INNER_PRODUCT = (
    "double product = dotProduct(params.query_vector, 'vector'); "
    "return product < 0 ? 1 / (1 - product) : product + 1;"
)
"""The script of docs/export.md for Elasticsearch."""


class Engine(Protocol):
    """A destination, and what its readers see."""

    place: str

    def open(self, schema: Schema) -> Writer: ...

    def top(self, name: str, query: Any, k: int, **only: Any) -> list[Any]:
        """Ids of the k rows with the largest inner products; `only`: the value of a column."""

    def names(self) -> list[str]:
        """All indices or collections."""

    def make_foreign(self, name: str) -> None:
        """What somebody else might have made."""


def opened(name: str, place: str, schema: Schema) -> Writer:
    row = DESTINATIONS[name]
    assert isinstance(row, Destination)
    return row.open(place, schema)


class SearchEngine:
    """OpenSearch or Elasticsearch, as their clients see `Node`."""

    def __init__(self, name: str, place: str, node: Node) -> None:
        self.name, self.place, self.node = name, place, node

    def open(self, schema: Schema) -> Writer:
        return opened(self.name, self.place, schema)

    def top(self, name: str, query: Any, k: int, **only: Any) -> list[Any]:
        vector = np.asarray(query).tolist()
        if self.name == "opensearch":
            params = {"field": "vector", "query_value": vector, "space_type": "innerproduct"}
            script = {"source": "knn_score", "lang": "knn", "params": params}
        else:
            script = {"source": INNER_PRODUCT, "params": {"query_vector": vector}}
        matching = {"bool": {"filter": {"term": only}}} if only else {"match_all": {}}
        body = {
            "size": k,
            "query": {"script_score": {"query": matching, "script": script}},
            "sort": [{"_score": "desc"}, {"position": "asc"}],
        }
        found = self._client().search(index=name, body=body)
        return [hit["_source"]["item_id"] for hit in found["hits"]["hits"]]

    def _client(self) -> Any:
        if self.name == "opensearch":
            from opensearchpy import OpenSearch

            return OpenSearch([self.place])
        from elasticsearch import Elasticsearch

        return Elasticsearch([self.place])

    def names(self) -> list[str]:
        return sorted(self.node.indices)

    def make_foreign(self, name: str) -> None:
        self.node.indices[name] = {"mappings": {}}
        self.node.documents[name] = {}


class Milvus:
    """Milvus Lite, in this process."""

    def __init__(self, folder: Path) -> None:
        from pymilvus import MilvusClient

        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.place = str(folder / "milvus.db")
        self.client = MilvusClient(self.place)

    def open(self, schema: Schema) -> Writer:
        return opened("milvus", self.place, schema)

    def top(self, name: str, query: Any, k: int, **only: Any) -> list[Any]:
        chosen = " and ".join(f"{column} == {value!r}" for column, value in only.items())
        found = self.client.search(name, data=[query], limit=k, filter=chosen)
        return [hit["item_id"] for hit in found[0]]

    def names(self) -> list[str]:
        return sorted(self.client.list_collections())

    def make_foreign(self, name: str) -> None:
        self.client.create_collection(name, dimension=2)


@contextmanager
def running(name: str, folder: Path) -> Iterator[Engine]:
    """The engine of that name, with nothing in it."""
    if name == "milvus":
        pytest.importorskip("milvus_lite", reason="needs pip install milvus-lite")
        yield Milvus(folder)
    else:
        pytest.importorskip(
            {"opensearch": "opensearchpy"}.get(name, name),
            reason=f'needs pip install "twotower[{name}]"',
        )
        node = Node()
        with serving(node) as place:
            yield SearchEngine(name, place, node)
