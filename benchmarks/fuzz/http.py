"""Requests to the service: damaged bodies, hostile values, and raw bytes on a real connection."""

import asyncio
import json
import re
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.damage import ODD_TEXTS, damaged
from benchmarks.promises import insist
from benchmarks.serving import random_model
from twotower.common.errors import RequestError
from twotower.serving.connection import Connection
from twotower.serving.filters import ItemFilter
from twotower.serving.http_app import ServeOptions, create_app
from twotower.serving.recommendations import Recommendations
from twotower.serving.recommender import Recommender

TITLE = "requests to the service"
SIZE = 20, 30, 4
"""Users, items and dimensions of the model."""
MAX_K, MAX_BATCH, MAX_BODY = 50, 8, 100_000
LONGEST = 2_000
"""Bytes of an answer that is no recommendation."""
STARTING = 30
"""Seconds that the server gets to start, and a connection to end."""
PATHS = ("/recommend", "/similar")
STATUSES = {200, 400, 404, 405, 413, 422}
NUMBERS = (
    "0", "-0", "1", "-1", "1e2", "1.0", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-400",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 4300, "9" * 4301,
    "0." + "9" * 5000, "01", "+1", ".5", "1_0", "true", "null",
)  # fmt: skip
HOSTILE = (
    *NUMBERS, '""', '"7"', '"\\ud800"', '"\\u0000"', '"\\r\\nset-cookie: a=b"', "[]", "{}", "[[]]",
    "[" * 990 + "]" * 990, "[" * 50_000, '{"a":' * 300 + "1" + "}" * 300,
    "[" + "{}," * 20_000 + "{}]", "[" + "1," * 20_000 + "1]", '"' + "x" * 50_000 + '"',
    "{" + ",".join(f'"k{i}": 0' for i in range(150)) + "}", "[[1],[2],[3],[null]]", "[1,[2]]",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A request to the application.

    Attributes:
        path: with a query, perhaps.
        body: in the pieces in which it arrives.
        headers: as they arrive.
    """

    method: str
    path: str
    body: tuple[bytes, ...]
    headers: tuple[tuple[bytes, bytes], ...]


KNOWN = st.lists(st.integers(-2, 35), max_size=6)
"""Ids, of which the model has most."""
ODD = st.lists(st.integers(-2, 35) | st.sampled_from([10**19, 2**63 - 1, "7", 1.5]), max_size=9)
"""Ids, of which some are of the wrong type or too large, and perhaps too many."""


def _asked(ids: SearchStrategy[Any]) -> SearchStrategy[bytes]:
    """Bodies whose keys are right, and most of whose values are."""
    who = st.one_of(
        st.fixed_dictionaries({"user_ids": ids}),
        st.fixed_dictionaries({"histories": st.lists(ids, max_size=5)}),
        st.fixed_dictionaries({"item_ids": ids}),
    )
    optional = {
        "k": st.integers(1, 40) | st.integers(-1, 60),
        "allowed": ids | st.none(),
        "blocked": ids,
        "exclude_seen": st.booleans(),
        "diversity": st.floats(0, 1) | st.just(1e-320),
        "max_per": st.just({}) | st.just({"brand": 1}),
    }
    of_items = {name: optional[name] for name in ("k", "allowed", "blocked")}
    how = st.fixed_dictionaries({}, optional=optional), st.fixed_dictionaries({}, optional=of_items)
    asked = who.flatmap(lambda keys: how["item_ids" in keys].map(lambda more: keys | more))
    return asked.map(lambda keys: json.dumps(keys).encode())


def _with(body: bytes, place: int, key: str, value: str) -> bytes:
    """A body with one key more, or one that is given twice."""
    asked = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in json.loads(body).items()]
    asked.insert(place, f"{json.dumps(key)}: {value}")
    return f"{{{', '.join(asked)}}}".encode()


VALID = _asked(KNOWN)
ANY_KEY = st.sampled_from(
    ["user_ids", "histories", "item_ids", "k", "allowed", "blocked", "exclude_seen", "diversity",
     "max_per", "topk", *ODD_TEXTS, "x" * 5000, "\ud800"]
)  # fmt: skip
BODIES = st.one_of(
    VALID,
    VALID,
    _asked(ODD),
    st.builds(_with, VALID, st.integers(0, 3), ANY_KEY, st.sampled_from(HOSTILE)),
    VALID.flatmap(damaged),
    st.binary(max_size=40),
)
ELSEWHERE = (
    "/recommend?\xff", "/similar/", "/health", "/metrics", "/", "/docs", "/openapi.json", "/..%2f",
    "//", "/%00", "/static-offline-docs/../../setup.py", "/static-offline-docs/%2e%2e/core.py",
)  # fmt: skip
KINDS = (
    b"", b"text/plain", b"application/x+json", b"application/json; charset=\xff", b"/", b";=",
    b"multipart/form-data", b"application/json\r\nx: y",
)  # fmt: skip
MORE = (
    (b"host", b"\xff@\r\n"), (b"content-encoding", b"gzip"), (b"transfer-encoding", b"chunked"),
    (b"content-length", b"1"), (b"x-api-key", b"\xff"), (b"expect", b"100-continue"),
    (b"upgrade", b"websocket"), (b"connection", b"upgrade"),
    (b"x-request-id", b"a\r\nset-cookie: b"), (b"x-request-id", b"\x1b[31m\xff"),
)  # fmt: skip


def _mostly(right: Any, wrong: tuple[Any, ...]) -> SearchStrategy[Any]:
    return st.sampled_from((right,) * 10 * len(wrong) + wrong)


PLACES = st.integers(0, 400)
METHODS = _mostly("POST", ("GET", "HEAD", "PUT", "TRACE", "X\x01"))
PATHS_ASKED = _mostly("", ELSEWHERE)
LENGTHS = _mostly(None, (b"-1", b"x", b"9" * 5000, b"0", b"5"))
TYPES = _mostly(b"application/json", KINDS)
OTHERS = _mostly((), tuple((pair,) for pair in MORE))


@st.composite
def _requests(draw: st.DrawFn) -> Case:
    """Valid requests, hostile ones and damaged ones, whole and in pieces, some to elsewhere."""
    body, cut = draw(BODIES), draw(PLACES)
    length = draw(LENGTHS) or str(len(body)).encode()
    return Case(
        method=draw(METHODS),
        path=draw(PATHS_ASKED) or PATHS[b"item_ids" in body],
        body=(body[:cut], body[cut:]),
        headers=((b"content-type", draw(TYPES)), (b"content-length", length), *draw(OTHERS)),
    )


def _raw(case: Case) -> bytes:
    """A request as it goes over the line."""
    head = f"{case.method} {case.path} HTTP/1.1\r\nhost: shop\r\n".encode("latin-1")
    lines = [name + b": " + value + b"\r\n" for name, value in case.headers]
    return head + b"".join(lines) + b"\r\n" + b"".join(case.body)


REQUESTS = _requests()
LINE = REQUESTS.map(_raw)
LINES = st.one_of(
    LINE,
    st.builds(bytes.__add__, LINE, LINE),
    LINE.flatmap(damaged),
    st.binary(max_size=60),
)


def cases() -> SearchStrategy[Case | bytes]:
    """Requests to the application, and a tenth over a real connection."""
    _server()  # to begin with, as it takes longer than a case may
    return st.sampled_from((REQUESTS,) * 9 + (LINES,)).flatmap(lambda kind: kind)


@cache
def _service() -> tuple[Any, Recommender]:
    """The application, and the model that it serves."""
    with tempfile.TemporaryDirectory(prefix="model-") as name:
        folder = random_model(Path(name) / "model", *SIZE)
        limits = {"max_k": MAX_K, "max_batch": MAX_BATCH, "max_body": MAX_BODY}
        app = create_app(ServeOptions(artifacts=folder, poll=0, **limits))
        return app, Recommender.load(folder, mmap=False)


def check(case: Case | bytes, folder: Path) -> str:  # noqa: ARG001 - nothing is written
    """Never a status that is not documented, in few words; and a recommender's own answer."""
    if isinstance(case, bytes):
        return _check_line(case)
    app, model = _service()
    status, headers, answer = asyncio.run(_ask(app, case))
    insist(status in STATUSES, f"status {status}: {answer[:300]!r}")
    for name, value in headers:
        insist(b"\n" not in name + value and b"\r" not in name + value, f"header {value!r}")
    if case.path not in PATHS or case.method != "POST":
        return "elsewhere"
    if status != 200:
        insist(len(answer) <= LONGEST, f"{len(answer)} bytes say why: {answer[:200]!r}")
        insist(isinstance(json.loads(answer)["detail"], str), f"no reason: {answer!r}")
        return "refused"
    insist(_rows(answer) == _own(model, json.loads(b"".join(case.body))), f"answers {answer!r}")
    return "answered"


def _rows(answer: bytes) -> list[Any]:
    return [(row["items"], row["source"]) for row in json.loads(answer)["results"]]


def _own(model: Recommender, asked: dict[str, Any]) -> list[Any]:
    """What the recommender itself answers, of items and sources."""
    keep = ItemFilter(asked.pop("allowed", None), asked.pop("blocked", ()))
    asks = {"user_ids": model.recommend, "histories": model.recommend_from_histories,
            "item_ids": model.similar_items}  # fmt: skip
    [name] = [name for name in asks if asked.get(name) is not None]
    rows = asked.pop(name)
    others = {key: value for key, value in asked.items() if key not in asks}
    try:
        found: Recommendations = asks[name](rows, filter=keep, **others)  # type: ignore[operator]
    except RequestError as error:
        return [str(error)]
    return [(row["items"], row["source"]) for row in json.loads(_json(found))]


def _json(found: Recommendations) -> str:
    return json.dumps(list(found.rows()))


async def _ask(app: Any, case: Case) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What the application sends."""
    path, _, query = case.path.partition("?")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
             "method": case.method, "path": path, "raw_path": path.encode(), "root_path": "",
             "query_string": query.encode("latin-1"), "headers": list(case.headers),
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {}}  # fmt: skip
    pieces = list(case.body)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], sent[0]["headers"], body


@cache
def _server() -> int:
    """The port of a server of the same application; it lives as long as the process."""
    config = uvicorn.Config(_service()[0], port=0, http=Connection, ws="none", log_level="error")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    give_up = time.monotonic() + STARTING
    while not server.started and time.monotonic() < give_up:
        time.sleep(0.01)
    return int(server.servers[0].sockets[0].getsockname()[1])


def _check_line(data: bytes) -> str:
    """Any bytes end in answers of documented statuses, or the server hangs up; and it lives on."""
    statuses = _statuses(data)
    insist(statuses <= STATUSES, f"statuses {statuses}")
    insist(_statuses(b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n") == {200}, "is dead")
    return f"on the line: {'an answer' if statuses else 'nothing'}"


def _statuses(data: bytes) -> set[int]:
    with socket.create_connection(("127.0.0.1", _server()), timeout=STARTING) as one:
        received = b""
        try:
            one.sendall(data)
            if b"connection: close" not in data:
                one.shutdown(socket.SHUT_WR)
            while piece := one.recv(2**16):
                received += piece
        except ConnectionError:  # what it does not want to read it leaves, and hangs up
            pass
    return {int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)} - {100}
