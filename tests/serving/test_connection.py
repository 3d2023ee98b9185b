"""Clients that are slow, broken, or ask too much, on real connections."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')

import uvicorn

from twotower.serving import connection
from twotower.serving.connection import AHEAD, BESIDE, Connection

SECONDS = 30
"""To wait for what takes far less."""
LARGE = 2**25
"""Bytes, more than what the system keeps for a client that does not read."""
ASK = b"GET /small HTTP/1.1\r\nhost: shop\r\n\r\n"
POST = b"POST /small HTTP/1.1\r\nhost: shop\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads a request to its end, and answers `ok`, or very much."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    body = b"x" * LARGE if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Serving:
    """A server in a thread."""

    server: uvicorn.Server
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def answer_to(self, *pieces: bytes, ends: bool = False) -> bytes:
        """All that the server says to these bytes until it hangs up."""
        with self.connect() as one:
            received = b""
            with suppress(ConnectionError):
                for piece in pieces:
                    one.sendall(piece)
                if ends:
                    one.shutdown(socket.SHUT_WR)
                while piece := one.recv(2**20):
                    received += piece
            return received

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    def is_quiet(self) -> bool:
        """Whether nothing is left of any client, soon."""
        return soon(lambda: not self.connections and not self.server.server_state.tasks)


def soon(holds: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + SECONDS
    while not holds() and time.monotonic() < give_up:
        time.sleep(0.01)
    return holds()


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """One that waits for a fraction of a second."""
    monkeypatch.setattr(connection, "LOOK", 0.02)
    monkeypatch.setattr(connection, "SECONDS", dict.fromkeys(connection.SECONDS, 0.2))
    config = uvicorn.Config(
        app, port=0, http=Connection, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert soon(lambda: server.started)
    yield Serving(server, server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = server.force_exit = True
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"GET",),
        (b"\r\n",),
        (ASK[:-2], b"a: b\r\n"),
        (POST + b"content-length: 10\r\n\r\n", b"123"),
        (CHUNKED, b"3\r\nabc\r\n"),
        (CHUNKED, b"0\r\n"),
    ],
)
def test_who_does_not_end_a_request_is_not_waited_for(
    serving: Serving, pieces: tuple[bytes, ...]
) -> None:
    assert serving.answer_to(*pieces) == b""
    assert serving.is_quiet()


def test_a_byte_now_and_then_does_not_help(serving: Serving) -> None:
    with serving.connect() as one:
        assert soon(lambda: bool(serving.connections))
        for _ in range(20):
            with suppress(ConnectionError):
                one.sendall(b"a")
            time.sleep(0.05)
        assert not serving.connections


def test_who_does_not_read_an_answer_is_not_waited_for(serving: Serving) -> None:
    with serving.connect() as one:
        one.sendall(ASK.replace(b"small", b"large"))
        assert soon(lambda: bool(serving.server.server_state.total_requests))
        assert serving.is_quiet()


def test_who_asks_in_time_is_answered_on_one_connection(serving: Serving) -> None:
    with serving.connect() as one, one.makefile("rb") as answers:
        for _ in range(8):
            one.sendall(ASK)
            while (line := answers.readline()) != b"\r\n":
                assert line
            assert answers.read(2) == b"ok"
            time.sleep(0.05)


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"x" * BESIDE * 2,
        b"GET / HTTP/1.1\r\na: " + b"x" * BESIDE * 2,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * BESIDE,
    ],
)
def test_a_head_without_end_is_refused(serving: Serving, endless: bytes) -> None:
    with serving.connect() as one:
        with suppress(ConnectionError):
            one.sendall(endless)
        assert serving.is_quiet()
    assert serving.answer_to(endless[: BESIDE + 1]).startswith(b"HTTP/1.1 400 ")


def test_trailers_without_end_are_refused(serving: Serving) -> None:
    assert serving.answer_to(CHUNKED + b"0\r\n", b"a: b\r\n" * BESIDE) == b""
    trailed = b"2\r\nab\r\n0\r\na: b\r\n\r\n"
    assert serving.answer_to(CHUNKED + trailed, ASK).count(b"\r\n\r\nok") == 2


def test_a_body_may_be_larger_than_a_head(serving: Serving) -> None:
    body = b"x" * BESIDE * 4
    length = f"content-length: {len(body)}\r\n\r\n".encode()
    assert serving.answer_to(POST + length, body).endswith(b"ok")


def test_few_requests_may_be_sent_ahead(serving: Serving) -> None:
    assert serving.answer_to(ASK * (AHEAD // 2)).count(b"\r\n\r\nok") == AHEAD // 2
    assert serving.answer_to(ASK * (AHEAD * 3)).count(b"\r\n\r\nok") < AHEAD * 3
    assert serving.is_quiet()


def test_where_too_many_wait_the_oldest_makes_room(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Connection, "most", 3)
    monkeypatch.setattr(Connection, "_warned", -float("inf"))
    with ExitStack() as stack:
        silent = []
        for number in range(3):
            silent.append(stack.enter_context(serving.connect()))
            assert soon(lambda n=number: len(serving.connections) > n)  # type: ignore[misc]
        new = stack.enter_context(serving.connect())
        with suppress(ConnectionError):
            assert silent.pop(0).recv(1) == b""
        for one in (new, *silent):
            one.sendall(ASK)
            assert one.recv(100).startswith(b"HTTP/1.1 200 ")
        silent.append(stack.enter_context(serving.connect()))
        assert soon(lambda: len(serving.connections) == 3)
    assert len(caplog.messages) == 1
    assert "3 connections are open" in caplog.text


@pytest.mark.parametrize(
    "data",
    [
        POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + ASK,
        POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef" + ASK,
        POST + b"content-length: -5\r\n\r\n" + ASK,
        POST + b"content-length: +5\r\n\r\nabcde" + ASK,
        POST + b"content-length: 99999999999999999999999\r\n\r\n" + ASK,
        POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + ASK,
        POST + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + ASK,
        POST + b"content-length : 5\r\n\r\nabcde" + ASK,
        POST + b"a: b\x00\r\n\r\n" + ASK,
        POST + b"a: b\r\n \r\n\r\n" + ASK,
        b"GET /small HTTP/9.9\r\n\r\n" + ASK,
        b"GET /sm\xffall HTTP/1.1\r\n\r\n" + ASK,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + ASK,
    ],
)
def test_one_request_never_becomes_two(serving: Serving, data: bytes) -> None:
    answer = serving.answer_to(data)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in answer


def test_another_protocol_is_not_offered_and_fills_no_log(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert serving.answer_to(ASK[:-2] + upgrade).startswith(b"HTTP/1.1 200 ")
    assert not caplog.records


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.skipif("sys.platform == 'win32'", reason="a reset is asked for otherwise there")
def test_broken_clients_leave_nothing_behind(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    asks = (ASK.replace(b"small", b"large"), ASK * 20, POST + b"content-length: 9\r\n\r\nab", b"G")
    for ask in asks:
        for ends in (reset, lambda one: one.shutdown(socket.SHUT_WR), lambda one: one.recv(1000)):
            with serving.connect() as one:
                one.sendall(ask)
                with suppress(OSError):
                    ends(one)
    assert serving.is_quiet()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    with serving.connect() as one:
        one.sendall(ASK)
        assert one.recv(100).startswith(b"HTTP/1.1 200 ")


class Gone:
    """A socket as macOS has it when the client has closed its end."""

    def setsockopt(self, *_: int) -> None:
        raise OSError(22, "Invalid argument")


def connect(found: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What uvicorn gets to know of a connection."""
    known: list[Any] = []
    monkeypatch.setattr(
        Connection.__base__, "connection_made", lambda _, transport: known.append(transport)
    )
    one: Any = Connection.__new__(Connection)
    one.loop = SimpleNamespace(time=time.monotonic, call_later=lambda *_: None)
    one.connections = ()
    one.connection_made(SimpleNamespace(get_extra_info=lambda _: found))
    return known


def test_answers_wait_for_no_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one:
        assert len(connect(one, monkeypatch)) == 1
        assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(connect(Gone(), monkeypatch)) == 1


def test_half_of_the_files_that_a_process_may_open_are_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource", reason="POSIX counts open files")
    for files, want in ((256, 128), (1024, 500), (resource.RLIM_INFINITY, 500)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert connection.connections() == want
