"""Exports to Elasticsearch: an index with a dense vector, behind an alias."""

import os
from typing import Any

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError
from twotower.common.secrets import without_credentials
from twotower.export.destination import VECTOR, Schema
from twotower.export.search_index import PATIENCE, Engine, IndexWriter, login, open_index

NAME = "Elasticsearch"


def open_elasticsearch(place: str, schema: Schema) -> IndexWriter:
    """A writer of the index of this version, which is made where there is none.

    A key comes from ELASTICSEARCH_API_KEY, or user and password from ELASTICSEARCH_USERNAME and
    ELASTICSEARCH_PASSWORD; authorities for TLS from SSL_CERT_FILE.

    Args:
        place: URL of a node, with its port.
        schema: what is exported.

    Raises:
        ConfigError: if the URL has no port.
        ExportError: see `Writer`.
    """
    from elasticsearch import ApiError, Elasticsearch, TransportError, helpers

    options: dict[str, Any] = {"request_timeout": PATIENCE}
    if key := os.environ.get("ELASTICSEARCH_API_KEY"):
        options["api_key"] = key
    elif user := login("ELASTICSEARCH"):
        options["basic_auth"] = user
    if place.startswith("https:") and (authorities := os.environ.get("SSL_CERT_FILE")):
        options["ca_certs"] = authorities
    try:
        client = Elasticsearch([place], **options)
    except ValueError as error:
        msg = f"--url {without_credentials(place)}: {one_line(error)}"
        raise ConfigError(msg) from None
    engine = Engine(NAME, place, client, helpers.bulk, (ApiError, TransportError))
    vector = {
        "type": "dense_vector",
        "dims": schema.dim,
        "similarity": "max_inner_product",
        "index_options": {"type": "hnsw"},  # of the vectors as they are, not rounded to int8
    }
    return open_index(engine, schema, {"settings": {}, VECTOR: vector})
