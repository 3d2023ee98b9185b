"""Stands for a node of OpenSearch or Elasticsearch: what an export asks of it, as documented.

Indices, aliases, bulk, counts, and searches that score every document by an inner product. It says
nothing of how a real node works inside; what it refuses, and its status codes, are those of the
references of both.
"""

import fnmatch
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np

JSON = {"content-type": "application/json", "x-elastic-product": "Elasticsearch"}


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        self.status = status
        self.body = {"error": {"type": kind, "reason": reason}, "status": status}


class Node:
    """What a node holds: indices with their documents, and aliases."""

    def __init__(self) -> None:
        self.indices: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, str] = {}
        self.busy = 0
        """How many requests to write will be refused."""
        self.accepted: set[str] = set()
        """What the header Authorization may be; nothing: whatever it likes."""

    def resolve(self, name: str) -> list[str]:
        """The indices of a name, an alias or a pattern."""
        if "*" in name:
            return [index for index in self.indices if fnmatch.fnmatch(index, name)]
        name = self.aliases.get(name, name)
        if name not in self.indices:
            raise RefusedError(404, "index_not_found_exception", f"no such index [{name}]")
        return [name]

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """The body of the answer to a request."""
        index, _, what = path.strip("/").rpartition("/")
        if not what.startswith("_"):
            return self._index(method, what, body)
        if what == "_aliases":
            return self._change_aliases(json.loads(body)["actions"])
        if what == "_bulk":
            return self._bulk(index, body)
        (found,) = self.resolve(index)
        if what == "_count":
            return {"count": len(self.documents[found])}
        return self._search(found, json.loads(body)) if what == "_search" else {}

    def _index(self, method: str, name: str, body: bytes) -> Any:
        if method == "PUT":
            if name in self.indices or name in self.aliases:
                raise RefusedError(
                    400, "resource_already_exists_exception", f"[{name}] exists already"
                )
            self.indices[name] = json.loads(body)
            self.documents[name] = {}
            return {"acknowledged": True}
        found = self.resolve(name)
        if method == "DELETE":
            if name not in self.indices:
                raise RefusedError(400, "illegal_argument_exception", f"[{name}] is an alias")
            del self.indices[name], self.documents[name]
            return {"acknowledged": True}
        named = {
            index: [a for a, leads in self.aliases.items() if leads == index] for index in found
        }
        return {
            index: {**self.indices[index], "aliases": {alias: {} for alias in named[index]}}
            for index in found
        }

    def _change_aliases(self, actions: list[dict[str, Any]]) -> Any:
        changed = dict(self.aliases)  # all of it, or nothing
        for action in actions:
            ((kind, of),) = action.items()
            self.resolve(of["index"])
            if of["alias"] in self.indices:
                raise RefusedError(
                    400, "invalid_alias_name_exception", f"[{of['alias']}] is an index"
                )
            if kind == "add":
                changed[of["alias"]] = of["index"]
            elif changed.pop(of["alias"], None) != of["index"]:
                raise RefusedError(404, "aliases_not_found_exception", f"no alias [{of['alias']}]")
        self.aliases = changed
        return {"acknowledged": True}

    def _bulk(self, index: str, body: bytes) -> Any:
        if self.busy:
            self.busy -= 1
            raise RefusedError(429, "circuit_breaking_exception", "too busy")
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            of = action["index"]
            name = of.get("_index", index)
            vector = self.indices[name]["mappings"]["properties"]["vector"]
            status: dict[str, Any] = {"status": 201}
            if len(document["vector"]) != (vector.get("dims") or vector.get("dimension")):
                error = {"type": "mapper_parsing_exception", "reason": "wrong length of vector"}
                status = {"status": 400, "error": error}
            else:
                self.documents[name][of["_id"]] = document
            items.append({"index": {"_index": name, "_id": of["_id"], **status}})
        return {"errors": any("error" in item["index"] for item in items), "items": items}

    def _search(self, index: str, body: dict[str, Any]) -> Any:
        if "term" in body["query"]:
            ((name, value),) = body["query"]["term"].items()
            found = [d for d in self.documents[index].values() if d[name] == value]
            fields = body["fields"]
            hits = [{"fields": {f: np.atleast_1d(d[f]).tolist() for f in fields}} for d in found]
            return {"hits": {"hits": hits}}
        query = body["query"]["script_score"]
        script = query["script"]
        asked = script["params"].get("query_value") or script["params"]["query_vector"]
        chosen = query["query"]["bool"]
        wanted = {name: value for each in chosen["filter"] for name, value in each["term"].items()}
        blocked = chosen["must_not"]["terms"]
        hits = list[dict[str, Any]]()
        for document in self.documents[index].values():
            values = {name: np.atleast_1d(value).tolist() for name, value in document.items()}
            if any(value not in values.get(name, []) for name, value in wanted.items()):
                continue
            if any(set(values.get(name, [])) & set(some) for name, some in blocked.items()):
                continue
            product = float(np.dot(np.float32(asked), np.float32(document["vector"])))
            score = product + 1 if product >= 0 else 1 / (1 - product)  # of both, as documented
            hits.append({"_score": float(np.float32(score)), "_source": document})
        hits.sort(key=lambda hit: (-hit["_score"], hit["_source"]["position"]))
        return {"hits": {"hits": hits[: body["size"]]}}


@contextmanager
def serving(node: Node) -> Iterator[str]:
    """The address of a node, on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer at once, not piece by piece, each waiting for the one before

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                if node.accepted and self.headers.get("authorization") not in node.accepted:
                    raise RefusedError(401, "security_exception", "missing authentication")
                status, answer = 200, node.answer(self.command, urlsplit(self.path).path, body)
            except RefusedError as refused:
                status, answer = refused.status, refused.body
            self.send_response(status)
            text = json.dumps(answer).encode()
            for name, value in {**JSON, "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
