"""A server on loopback, clients that keep it busy, and the processor time that it takes."""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

STARTING = 180
"""Seconds that a server gets to start."""
PROCESSES = Path("/proc")
"""Where Linux shows what processes do."""


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        port: on 127.0.0.1.
        pid: of its first process.
    """

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of user and system time of the process and those below it, on Linux."""
        return _cpu(self.pid)


@contextmanager
def serving(command: Sequence[str], health: str) -> Iterator[Running]:
    """Run a server: `python -m` and the command, which gets `--port`.

    Args:
        command: without the port.
        health: path that answers once it is ready.

    Raises:
        SystemExit: if it does not start, with what it printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    variables = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    arguments = [sys.executable, "-m", *command, "--port", str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(arguments, env=variables, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port, health, process, log)
            yield Running(port, process.pid)
        finally:
            process.terminate()


def load(
    port: int, path: str, bodies: Sequence[bytes], seconds: float, clients: int
) -> list[float]:
    """Seconds that each request took, of clients that ask again as soon as they are answered.

    Raises:
        SystemExit: if an answer is not one of status 200, or none comes.
    """
    took: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds

    def client(start: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        turn = start
        while time.monotonic() < end and not failures:
            began = time.perf_counter()
            try:
                connection.request("POST", path, bodies[turn % len(bodies)],
                                   {"content-type": "application/json"})  # fmt: skip
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                failures.append(str(error))
                return
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                failures.append(f"{answer.status}: {text[:300].decode()}")
            turn += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{path} answered {failures[0]}")
    return took


def _wait_for(port: int, health: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Wait until the server answers at the path `health`; what it prints goes to the log."""
    give_up = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < give_up:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", health)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    log.seek(0)
    printed = log.read().decode(errors="replace")
    raise SystemExit(f"the server did not start\n{printed}")


def _cpu(pid: int) -> float:
    status = (PROCESSES / str(pid) / "stat").read_text()
    user, system = status.rpartition(")")[2].split()[11:13]
    own = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    children = (PROCESSES / str(pid) / "task" / str(pid) / "children").read_text().split()
    return own + sum(_cpu(int(child)) for child in children)
