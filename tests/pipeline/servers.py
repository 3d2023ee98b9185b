"""Servers of MLflow as processes, killed at the end."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.pipeline.project import Project

START_SECONDS = 600


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that answers HTTP, with all processes that it starts."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, url: str) -> None:
        self.process, self.log, self.url = process, log, url

    def wait(self, path: str) -> None:
        """Until the path is answered with status 200."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(requests.RequestException):
                if requests.get(self.url + path, timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def kill(self) -> None:
        """At once, as a power cut would."""
        if os.name == "nt":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.process.pid)], check=False)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(
    project: Project, *command: str, port: int, path: str, store: str = ""
) -> Iterator[Server]:
    """A server of the project, once it answers; killed at the end.

    Args:
        project: folder and environment.
        command: that starts it.
        port: on which it will listen.
        path: that is answered as soon as it is ready.
        store: address of the MLflow store that it shall use, if it is not one itself.
    """
    url = f"http://127.0.0.1:{port}"
    environment = project.environment | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **({"MLFLOW_TRACKING_URI": store} if store else {}),
    }
    log = project.root.parent / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=project.root,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, log, url)
    try:
        server.wait(path)
        yield server
    finally:
        server.kill()


def post(url: str, content: Any) -> tuple[int, Any]:
    """Status and JSON answer of a request with JSON."""
    answer = requests.post(url, json=content, timeout=60)
    return answer.status_code, answer.json()
