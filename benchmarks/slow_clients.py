"""Clients that mean no good, and how the service answers another one meanwhile.

    python -m benchmarks.slow_clients [NAME ...] [--clients 200] [--markdown FILE]

Each attack gets a service of its own, with its default limits; while it goes on, one honest client asks
for the items of one user, again and again. Memory is read from /proc, which is Linux's.
"""

import argparse
import http.client
import json
import select
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_load import PROCESSES, Running, serving
from benchmarks.markdown import table
from benchmarks.serving import random_model

SIZE = 5_000, 5_000, 32
"""Users, items and dimensions of the model."""
QUESTION = json.dumps({"user_ids": [7]}).encode()
LARGE = json.dumps({"user_ids": list(range(1000)), "k": 1000}).encode()
CHUNK = b"7fff\r\n" + b"x" * 0x7FFF + b"\r\n"
MOST = 2**23
"""Bytes of the largest body."""


def post(body: bytes, length: int | None = None) -> bytes:
    """A request; `length` is what it declares, where that is not the truth."""
    length = len(body) if length is None else length
    head = "POST /recommend HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {length}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Attack:
    """What each client sends.

    Attributes:
        name: on the command line.
        what: for people.
        first: sent at once.
        then: sent again and again.
        pause: seconds before each; 0: as fast as the service reads.
        clients: how many, where that is not what the command line says.
        takes: bytes of the answers that are read at a time; 0: none is ever read.
    """

    name: str
    what: str
    first: bytes
    then: bytes
    pause: float = 1.0
    clients: int | None = None
    takes: int = 2**16


CHUNKED = b"POST /recommend HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n"
CHUNKED += b"transfer-encoding: chunked\r\n\r\n"
ATTACKS = (
    Attack("silence", "connect, and say nothing", b"", b""),
    Attack("heads", "a header, a byte a second", b"GET /health HTTP/1.1\r\n", b"a"),
    Attack("bodies", "half of the largest body, then a byte a second",
           post(b"[" * (MOST // 2), MOST), b"["),
    Attack("readers", "ask for a million items, read a byte of them a second",
           post(LARGE), b"", takes=1),
    Attack("endless", "headers without end",
           b"GET /health HTTP/1.1\r\n", b"a: " + b"x" * 8000 + b"\r\n", 0, 4),
    Attack("value", "one header without end", b"GET /health HTTP/1.1\r\na: ", b"x" * 8000, 0, 4),
    Attack("address", "an address without end", b"GET /", b"x" * 8000, 0, 4),
    Attack("trailers", "headers without end after the body",
           CHUNKED + b"0\r\n", b"a: " + b"x" * 8000 + b"\r\n", 0, 4),
    Attack("chunks", "a body without end", CHUNKED, CHUNK, 0, 4),
    Attack("ahead", "requests without end, reading no answer",
           b"", b"GET /health HTTP/1.1\r\n\r\n" * 1000, 0, 4, takes=0),
    Attack("errors", "bodies of a million mistakes each",
           post(b'{"user_ids":[' + b"{}," * (MOST // 4) + b"0]}"), b"", clients=2),
)  # fmt: skip


class Crowd:
    """Clients that attack, each in a thread of its own."""

    def __init__(self, attack: Attack, port: int, clients: int) -> None:
        self._attack, self._port = attack, port
        self._end = threading.Event()
        self.refused = 0
        self._threads = [
            threading.Thread(target=self._run, daemon=True)
            for _ in range(attack.clients or clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close all connections."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def open(self) -> int:
        """How many connections the service has not closed."""
        return sum(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        with suppress(OSError), socket.socket() as one:
            if self._attack.takes:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(120)
            one.connect(("127.0.0.1", self._port))
            one.sendall(self._attack.first)
            one.settimeout(1)
            while not self._end.wait(self._attack.pause):
                with suppress(TimeoutError):
                    one.sendall(self._attack.then)
                if self._attack.takes:
                    self._look(one)

    def _look(self, one: socket.socket) -> None:
        """Read as little as may be; no bytes, or an OSError, say that the service has hung up."""
        while select.select([one], [], [], 0)[0]:
            if not one.recv(self._attack.takes):
                raise ConnectionResetError
            if self._attack.pause:
                return


def memory(pid: int) -> float:
    """Resident memory of a process, in MB."""
    status = (PROCESSES / str(pid) / "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


@dataclass(frozen=True)
class Seen:
    """How the service did: latencies in ms, memory in MB."""

    median: float
    slowest: float
    growth: float
    open: int


def watch(server: Running, crowd: Crowd, seconds: float) -> Seen:
    """Ask as an honest client, ten times a second."""
    took, before, peak = [], memory(server.pid), 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/recommend", QUESTION, {"content-type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        took.append(1000 * (time.perf_counter() - began))
        peak = max(peak, memory(server.pid))
        time.sleep(0.1)
    return Seen(statistics.median(took), max(took), peak - before, crowd.open)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the attacks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=70)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args(arguments)
    header = ["attack", "clients", "median, ms", "slowest, ms", "memory, MB", "still connected"]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = random_model(Path(name) / "model", *SIZE)
        command = ["twotower", "serve", "--artifacts", str(folder), "--poll", "0"]
        for attack in ATTACKS:
            if asked.names and attack.name not in asked.names:
                continue
            with serving(command, "/health") as server:
                crowd = Crowd(attack, server.port, asked.clients)
                seen = watch(server, crowd, asked.seconds)
                crowd.stop()
            print(attack.name, seen, flush=True)


if __name__ == "__main__":
    main()
