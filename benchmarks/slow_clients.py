"""Clients that mean no good, and how the service answers another one meanwhile.

    python -m benchmarks.slow_clients [NAME ...] [--clients 200] [--seconds 75] [--markdown FILE]

Each attack gets a service of its own, with its default limits; while it goes on, one honest client
asks for the items of one user, again and again. Memory is read from /proc, which is Linux's.
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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_load import PROCESSES, Running, serving
from benchmarks.markdown import table
from benchmarks.serving import random_model
from twotower.common.choices import Table

SIZE = 5_000, 5_000, 32
"""Users, items and dimensions of the model."""
QUESTION = json.dumps({"user_ids": [7]}).encode()
LARGE = json.dumps({"user_ids": list(range(1000)), "k": 1000}).encode()
OK = 200
PAUSE = 0.1
"""Seconds between two questions of the honest client."""
HEAD = ("attack", "clients", "median, ms", "99 of 100, ms", "memory, MB", "still connected")
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
    Attack("errors", "bodies of 400,000 mistakes each",
           post(b'{"user_ids":[' + b"{}," * 400_000 + b"0]}"), b"", clients=2),
)  # fmt: skip


class Crowd:
    """Clients that attack, each in a thread of its own."""

    def __init__(self, attack: Attack, port: int, clients: int) -> None:
        self._attack, self._port = attack, port
        self._end = threading.Event()
        self.size = attack.clients or clients
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.size)]
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
    """How the service did.

    Attributes:
        median: of the honest client's latencies, in ms.
        late: which one of a hundred exceeds, in ms.
        growth: of the process, in MB.
        open: connections of attackers that are still open.
    """

    median: float
    late: float
    growth: float
    open: int


def watch(server: Running, crowd: Crowd, seconds: float) -> Seen:
    """Ask as an honest client, on a new connection each time.

    Raises:
        SystemExit: if an answer is not one of status 200.
    """
    took, before, peak = [], memory(server.pid), 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/recommend", QUESTION, {"content-type": "application/json"})
        if (status := connection.getresponse().status) != OK:
            raise SystemExit(f"an honest client got status {status}")
        connection.close()
        took.append(1000 * (time.perf_counter() - began))
        peak = max(peak, memory(server.pid))
        time.sleep(PAUSE)
    late = statistics.quantiles(took, n=100)[-1] if len(took) > 1 else took[0]
    return Seen(statistics.median(took), late, peak - before, crowd.open)


def main() -> None:
    """Run the attacks that are named, or all, and print a table."""
    known = Table("NAME", *ATTACKS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.slow_clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--clients", type=int, default=200, help="of the slow attacks (200)")
    parser.add_argument("--seconds", type=float, default=75, help="of each attack (75)")
    parser.add_argument("--markdown", type=Path, help="a file for the table")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = random_model(Path(name) / "model", *SIZE)
        for attack in map(known.__getitem__, asked.names or known):
            rows.append(cells(attack, folder, asked.clients, asked.seconds))
            print(f"{attack.name}: {' | '.join(rows[-1])}", flush=True)
    markdown = table(HEAD, rows)
    print(f"\n{markdown}")
    if asked.markdown is not None:
        asked.markdown.write_text(f"{markdown}\n", encoding="utf-8", newline="\n")


def cells(attack: Attack, folder: Path, clients: int, seconds: float) -> list[str]:
    """Of a row below HEAD."""
    command = ["twotower", "serve", "--artifacts", str(folder), "--poll", "0"]
    with serving(command, "/health") as server:
        crowd = Crowd(attack, server.port, clients)
        seen = watch(server, crowd, seconds)
        crowd.stop()
    figures = (f"{seen.median:.1f}", f"{seen.late:.1f}", f"{seen.growth:.0f}")
    return [attack.what, str(crowd.size), *figures, str(seen.open)]


if __name__ == "__main__":
    main()
