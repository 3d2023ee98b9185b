"""What exports to OpenSearch and Elasticsearch have in common: an index a version, and an alias.

Elasticsearch began with what OpenSearch is; the requests below are the same in both.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from twotower.common.bounded import one_line, shown
from twotower.common.errors import ExportError
from twotower.common.secrets import without_credentials
from twotower.export.destination import VECTOR, Batch, Kind, Schema

LONGEST = 8_191
"""Characters of a text that is filtered by: a term has 32,766 bytes at most."""
KEYWORD = {"type": "keyword", "ignore_above": LONGEST}
TYPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "text"},
    Kind.CATEGORY: KEYWORD,
    Kind.CATEGORIES: KEYWORD,  # a field may have several values
    Kind.NUMBER: {"type": "double"},
    Kind.INTEGER: {"type": "long"},
    Kind.INTEGERS: {"type": "long"},
}
PATIENCE = 60
"""Seconds that an answer may take."""
RETRIES = 5
"""How often rows are sent again that a busy cluster refuses; the first time after two seconds."""


@dataclass(frozen=True)
class Engine:
    """A client of a search engine.

    Attributes:
        name: of the engine, for messages.
        url: of a node; messages show it without credentials.
        client: whose methods are those of both libraries.
        bulk: the library's helper that writes many documents.
        errors: that the library raises.
    """

    name: str
    url: str
    client: Any
    bulk: Callable[..., tuple[int, Any]]
    errors: tuple[type[Exception], ...]

    @contextmanager
    def one_line_errors(self) -> Iterator[None]:
        """Turns what the engine says into one line."""
        try:
            yield
        except self.errors as error:
            raise self.error(f"{self.name} fails: {one_line(error)}") from None

    def error(self, what: str) -> ExportError:
        """An error that says where."""
        return ExportError(f"{without_credentials(self.url)}: {what}")


def login(prefix: str) -> tuple[str, str] | None:
    """User and password of the environment: PREFIX_USERNAME and PREFIX_PASSWORD."""
    user, password = (os.environ.get(f"{prefix}_{name}") for name in ("USERNAME", "PASSWORD"))
    return (user, password) if user and password else None


def open_index(engine: Engine, schema: Schema, body: Mapping[str, Any]) -> "IndexWriter":
    """A writer of the index of this version, which is made where there is none.

    Args:
        engine: where to.
        schema: what is exported.
        body: settings of a new index, and in `vector` what the column of vectors is.

    Raises:
        ExportError: see `Writer`.
    """
    writer = IndexWriter(engine, schema)
    try:
        with engine.one_line_errors():
            writer.prepare(body)
    except BaseException:
        writer.close()
        raise
    return writer


class IndexWriter:
    """A `Writer` of an index, whose documents have the positions of the rows as their `_id`."""

    def __init__(self, engine: Engine, schema: Schema) -> None:
        self._engine, self._schema = engine, schema
        self._client = engine.client
        self._published: str | None = None

    def prepare(self, body: Mapping[str, Any]) -> None:
        """Find out what is there, and make the index of this version; see `open_index`."""
        indices = self._client.indices
        name, target = self._schema.name, self._schema.target
        for each in (name, target):
            found = indices.get(index=each) if indices.exists(index=each) else {}
            if not all(self._is_ours(index) for index in found.values()) or len(found) > 1:
                self._refuse(f"{shown(each)} is no index that `twotower export` made")
            if each == name and name in found:
                self._refuse(f"{shown(name)} is an index, and no alias of one")
            if each == name and found:
                (self._published,) = found
            if each == target and not found:
                indices.create(index=target, body=self._index(body))

    def _refuse(self, why: str) -> NoReturn:
        raise self._engine.error(f"{why}, so it is left as it is; choose another --name")

    def _is_ours(self, index: Mapping[str, Any]) -> bool:
        mark = index["mappings"].get("_meta", {})
        return bool(mark.get("made_by") == self._schema.mark["made_by"])

    def _index(self, body: Mapping[str, Any]) -> dict[str, Any]:
        types = {field.name: TYPES[field.kind] for field in self._schema.fields}
        mappings = {"_meta": self._schema.mark, "dynamic": False}
        properties = types | {VECTOR: body[VECTOR]}
        return {
            "settings": body["settings"],
            "mappings": mappings | {"properties": properties},
        }

    def is_current(self) -> bool:
        """See `Writer`."""
        return self._published == self._schema.target

    def existing(self) -> int:
        """See `Writer`."""
        target = self._schema.target
        with self._engine.one_line_errors():
            self._client.indices.refresh(index=target)
            return int(self._client.count(index=target)["count"])

    def write(self, batch: Batch) -> None:
        """See `Writer`."""
        documents = (
            {"_id": str(position), "_source": {**row, VECTOR: vector.tolist()}}
            for position, row, vector in zip(
                range(batch.start, batch.start + len(batch)),
                batch.rows(),
                batch.vectors,
                strict=True,
            )
        )
        with self._engine.one_line_errors():
            _, failed = self._engine.bulk(
                self._client,
                documents,
                index=self._schema.target,
                raise_on_error=False,
                max_retries=RETRIES,
            )
        if failed:
            why = next(iter(failed[0].values())).get("error", failed[0])
            reason = why.get("reason", why) if isinstance(why, dict) else why
            what = f"{self._engine.name} refuses {len(failed):,} rows: {one_line(reason)}"
            raise self._engine.error(what)

    def publish(self) -> None:
        """See `Writer`."""
        name, target, before = self._schema.name, self._schema.target, self._published
        actions = [{"add": {"index": target, "alias": name}}]
        if before is not None and before != target:
            actions.insert(0, {"remove": {"index": before, "alias": name}})
        indices = self._client.indices
        with self._engine.one_line_errors():
            indices.refresh(index=target)
            indices.update_aliases(body={"actions": actions})
            self._published = target
            for each, index in indices.get(index=f"{name}_*").items():
                left = each not in {target, before} and not index["aliases"]
                if left and self._schema.is_version(each) and self._is_ours(index):
                    indices.delete(index=each)

    def close(self) -> None:
        """See `Writer`."""
        self._client.close()
