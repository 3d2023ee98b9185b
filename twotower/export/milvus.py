"""Exports to Milvus, or to a file of Milvus Lite: a collection a version, behind an alias."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from twotower.common.bounded import one_line, shown
from twotower.common.errors import ExportError
from twotower.common.secrets import without_credentials
from twotower.export.destination import POSITION, VECTOR, Batch, Kind, Schema

if TYPE_CHECKING:
    from pymilvus import MilvusClient

TOKEN = "MILVUS_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with a key, or user:password."""
LONGEST = 65_535
"""Bytes of an id, as Milvus has them at most."""


def open_milvus(place: str, schema: Schema) -> "MilvusWriter":
    """A writer of the collection of this version, which is made where there is none.

    Args:
        place: URL of a server, or path of a file of Milvus Lite, which ends in .db.
        schema: what is exported.

    Raises:
        ExportError: see `Writer`.
    """
    from pymilvus import MilvusClient

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # tracebacks of what is raised, too
    with _errors(place):
        client = MilvusClient(place, token=os.environ.get(TOKEN, ""))
    writer = MilvusWriter(client, place, schema)
    try:
        writer.prepare()
    except BaseException:
        writer.close()
        raise
    return writer


class MilvusWriter:
    """A `Writer` of a collection whose flat index compares exactly, by inner product."""

    def __init__(self, client: "MilvusClient", place: str, schema: Schema) -> None:
        self._client, self._place, self._schema = client, place, schema
        self._published: str | None = None

    def prepare(self) -> None:
        """Find out what is there, and make the collection of this version."""
        name, target = self._schema.name, self._schema.target
        with _errors(self._place):
            for each in (name, target):
                if self._client.has_collection(each) and not self._is_ours(each):
                    self._refuse(f"{shown(each)} is no collection that `twotower export` made")
            if self._client.has_collection(name):
                self._published = self._client.describe_collection(name)["collection_name"]
                if self._published == name:
                    self._refuse(f"{shown(name)} is a collection, and no alias of one")
            if not self._client.has_collection(target):
                self._create()
            self._client.load_collection(target)

    def _refuse(self, why: str) -> NoReturn:
        where = without_credentials(self._place)
        msg = f"{where}: {why}, so it is left as it is; choose another --name"
        raise ExportError(msg)

    def _is_ours(self, name: str) -> bool:
        properties = self._client.describe_collection(name)["properties"]
        return bool(properties.get("made_by") == self._schema.mark["made_by"])

    def _create(self) -> None:
        """Ids, positions and vectors are columns, all else is in the dynamic field."""
        from pymilvus import DataType

        columns = self._client.create_schema(auto_id=False, enable_dynamic_field=True)
        integers = self._schema.id.kind is Kind.INTEGER
        kind = {"datatype": DataType.INT64} if integers else {"datatype": DataType.VARCHAR}
        longest = {} if integers else {"max_length": LONGEST}
        columns.add_field(self._schema.id.name, is_primary=True, **kind, **longest)
        columns.add_field(POSITION, DataType.INT64)
        columns.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=self._schema.dim)
        index = self._client.prepare_index_params()
        index.add_index(VECTOR, index_type="FLAT", metric_type="IP")
        self._client.create_collection(
            self._schema.target,
            schema=columns,
            index_params=index,
            properties=self._schema.mark,  # Lite keeps no description
            consistency_level="Strong",
        )

    def is_current(self) -> bool:
        """See `Writer`."""
        return self._published == self._schema.target

    def existing(self) -> int:
        """See `Writer`."""
        with _errors(self._place):
            counted = self._client.query(
                self._schema.target, output_fields=["count(*)"], consistency_level="Strong"
            )
        return int(counted[0]["count(*)"])

    def write(self, batch: Batch) -> None:
        """See `Writer`."""
        rows = [
            {**row, VECTOR: vector} for row, vector in zip(batch.rows(), batch.vectors, strict=True)
        ]
        with _errors(self._place):
            self._client.upsert(self._schema.target, rows)

    def publish(self) -> None:
        """See `Writer`."""
        name, target, before = self._schema.name, self._schema.target, self._published
        with _errors(self._place):
            self._client.flush(target)
            if before is None:
                self._client.create_alias(target, name)
            elif before != target:
                self._client.alter_alias(target, name)
            self._published = target
            for each in self._client.list_collections():
                if self._schema.is_version(each) and each not in {target, before}:
                    self._drop(each)

    def _drop(self, name: str) -> None:
        if self._is_ours(name) and not self._client.list_aliases(name)["aliases"]:
            self._client.drop_collection(name)

    def close(self) -> None:
        """See `Writer`."""
        self._client.close()


@contextmanager
def _errors(place: str) -> Iterator[None]:
    """Turns what Milvus says into one line."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, OSError) as error:
        what: Any = getattr(error, "message", "") or error
        msg = f"{without_credentials(place)}: Milvus fails: {one_line(what)}"
        raise ExportError(msg) from None
