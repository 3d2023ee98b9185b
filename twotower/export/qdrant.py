"""Export to Qdrant: a collection for each version, and an alias that readers ask for.

The id of a point is the row's position, as Qdrant takes unsigned integers and UUIDs only; the id
of the data is in the payload. The URL may also be the path of a folder, for the local mode of the
client, which needs no server.
"""

import json
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError, ExportError
from twotower.common.progress import say
from twotower.common.secrets import without_credentials
from twotower.export.destination import Batch, Kind, Schema

KEY = "QDRANT_API_KEY"
HTTP = ("http://", "https://")
ADDRESS = re.compile(r"[\w.-]+:\d+(/|$)")
"""host:port, which is hardly a folder."""
LOOPBACK = re.compile(r"http://(localhost|127\.[\d.]+|\[::1\])(:|/|$)")
TIMEOUT = 60
"""Seconds that a request may take."""
POLL = 0.5
"""Seconds between two looks at whether Qdrant has built its index."""
INDEXED = {
    Kind.CATEGORY: models.PayloadSchemaType.KEYWORD,
    Kind.CATEGORIES: models.PayloadSchemaType.KEYWORD,
    Kind.NUMBER: models.PayloadSchemaType.FLOAT,
    Kind.INTEGER: models.PayloadSchemaType.INTEGER,
}
"""Columns that queries filter by."""
REQUEST = 16 << 20
"""Bytes of a request, or one row; Qdrant takes 32 MB."""
NUMBER = 24
"""Bytes of a number of a vector, at most."""
KEY_ALONE = re.compile(r"[\w-]+")
"""A key of the payload that needs no quotes: other characters are steps of a path."""


def open_qdrant(url: str, schema: Schema) -> "QdrantWriter":
    """See `Destination.open`.

    Args:
        url: of a server, whose key is in $QDRANT_API_KEY; or the path of a folder.
        schema: what is exported.

    Raises:
        ConfigError: if the URL is neither.
    """
    if not url.startswith(HTTP) and (ADDRESS.match(url) or "://" in url):
        msg = (
            f"--url {_where(url)}: must begin with http:// or https://, or be the path of a folder"
        )
        raise ConfigError(msg)
    with _answering(url):
        if url.startswith(HTTP):
            client = _connect(url, os.environ.get(KEY))
        else:
            client = QdrantClient(path=url)
        return QdrantWriter(client, url, schema)


def _connect(url: str, key: str | None) -> QdrantClient:
    is_open = url.startswith(HTTP[0]) and not LOOPBACK.match(url)
    if key and is_open:
        say(f"note: {_where(url)}: ${KEY} goes over the network unencrypted; use https://")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
        return QdrantClient(url, api_key=key, timeout=TIMEOUT, check_compatibility=False)


class QdrantWriter:
    """See `Writer`."""

    def __init__(self, client: QdrantClient, url: str, schema: Schema) -> None:
        self._client, self._url, self._schema = client, url, schema
        self._previous = self._led_to()
        if self._collections().count(schema.target) == 0:
            self._create()
        self._check_ours(schema.target)
        if not self.is_current():
            self._index_payload()

    def is_current(self) -> bool:
        """See `Writer`."""
        return self._previous == self._schema.target

    def existing(self) -> int:
        """See `Writer`."""
        with _answering(self._url):
            return self._client.count(self._schema.target, exact=True).count

    def write(self, batch: Batch) -> None:
        """See `Writer`."""
        payloads = list(batch.rows())
        largest = NUMBER * self._schema.dim + max(len(json.dumps(each)) for each in payloads)
        size = max(1, REQUEST // largest)
        for low in range(0, len(batch), size):
            high = min(low + size, len(batch))
            points = models.Batch(
                ids=list(range(batch.start + low, batch.start + high)),
                vectors=batch.vectors[low:high].tolist(),
                payloads=payloads[low:high],
            )
            with _answering(self._url):
                self._client.upsert(self._schema.target, points, wait=True)

    def publish(self) -> None:
        """See `Writer`; waits until Qdrant has indexed the collection."""
        name, target = self._schema.name, self._schema.target
        with _answering(self._url):
            while self._client.get_collection(target).status == models.CollectionStatus.YELLOW:
                time.sleep(POLL)
            swap: list[models.AliasOperations] = []
            if self._previous is not None:
                alias = models.DeleteAlias(alias_name=name)
                swap.append(models.DeleteAliasOperation(delete_alias=alias))
            create = models.CreateAlias(collection_name=target, alias_name=name)
            swap.append(models.CreateAliasOperation(create_alias=create))
            self._client.update_collection_aliases(swap)
            for other in self._collections():
                if other not in {target, self._previous} and self._is_ours(other):
                    self._client.delete_collection(other)

    def close(self) -> None:
        """See `Writer`."""
        self._client.close()

    def _collections(self) -> list[str]:
        return [one.name for one in self._client.get_collections().collections]

    def _led_to(self) -> str | None:
        """The collection that the alias leads to now, which must be a version of this export."""
        name = self._schema.name
        if name in self._collections():
            msg = (
                f"{_where(self._url)}: {name} is a collection, not an alias; choose another --name"
            )
            raise ExportError(msg)
        for alias in self._client.get_aliases().aliases:
            if alias.alias_name == name:
                self._check_ours(alias.collection_name)
                return alias.collection_name
        return None

    def _is_ours(self, collection: str) -> bool:
        """Whether it is a version of this export, by its name and what it says of itself."""
        if not self._schema.is_version(collection):
            return False
        metadata = self._client.get_collection(collection).config.metadata or {}
        return bool(metadata.get("made_by") == self._schema.mark["made_by"])

    def _check_ours(self, collection: str) -> None:
        if not self._is_ours(collection):
            msg = (
                f"{_where(self._url)}: collection {collection} was not made by twotower export "
                "(or by a Qdrant before 1.16, which keeps no metadata); choose another --name"
            )
            raise ExportError(msg)

    def _create(self) -> None:
        target = self._schema.target
        self._client.create_collection(
            target,
            vectors_config=models.VectorParams(size=self._schema.dim, distance=models.Distance.DOT),
            metadata=dict(self._schema.mark),
        )

    def _index_payload(self) -> None:
        """Index what queries filter by; again, if an export was cut short: it is there then."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Payload indexes have no effect")  # in local mode
            for field in self._schema.fields:
                if field.kind in INDEXED and '"' not in field.name:
                    key = field.name if KEY_ALONE.fullmatch(field.name) else f'"{field.name}"'
                    self._client.create_payload_index(self._schema.target, key, INDEXED[field.kind])


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Failures of the client and the server, in a line."""
    try:
        yield
    except UnexpectedResponse as error:
        said = one_line(f"{error.status_code} {error.reason_phrase} {error.content.decode()}")
        hint = f"; is ${KEY} right?" if error.status_code in {401, 403} else ""
        msg = f"{_where(url)}: Qdrant refuses: {said}{hint}"
        raise ExportError(msg) from None
    except (ApiException, OSError, RuntimeError) as error:  # the last of a folder that is in use
        msg = f"{_where(url)}: Qdrant does not answer: {one_line(error)}"
        raise ExportError(msg) from None


def _where(url: str) -> str | None:
    return without_credentials(url)
