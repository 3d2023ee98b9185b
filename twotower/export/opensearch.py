"""Exports to OpenSearch: an index with its vector engine, behind an alias."""

from twotower.export.destination import VECTOR, Schema
from twotower.export.search_index import PATIENCE, Engine, IndexWriter, login, open_index

NAME = "OpenSearch"
METHOD = {"name": "hnsw", "engine": "lucene", "space_type": "innerproduct"}


def open_opensearch(place: str, schema: Schema) -> IndexWriter:
    """A writer of the index of this version, which is made where there is none.

    User and password come from OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, authorities for TLS
    from SSL_CERT_FILE.

    Args:
        place: URL of a node.
        schema: what is exported.

    Raises:
        ExportError: see `Writer`.
    """
    from opensearchpy import OpenSearch, OpenSearchException, helpers

    client = OpenSearch([place], timeout=PATIENCE, http_auth=login("OPENSEARCH"))
    engine = Engine(NAME, place, client, helpers.bulk, (OpenSearchException,))
    vector = {"type": "knn_vector", "dimension": schema.dim, "method": METHOD}
    return open_index(engine, schema, {"settings": {"index": {"knn": True}}, VECTOR: vector})
