"""`twotower serve`, as a real process."""

import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli.command import error_of
from tests.conftest import REPOSITORY
from tests.serving.conftest import LINE, write_model
from twotower.artifacts import load_artifacts
from twotower.cli.app import app
from twotower.cli.serve import serve

SECONDS = 60
"""To wait for what takes far less."""


@contextmanager
def serving(
    folder: Path, *options: str, log: list[str] | None = None, **variables: str
) -> Iterator[str]:
    """The address of a service on a free port of this machine; `log` gets what it says."""
    command = [sys.executable, "-m", "twotower", "serve", "--artifacts", str(folder), *options]
    command += ["--port", "0", "--poll", "0.05"]
    log = [] if log is None else log
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                log.append(line)
                found = re.search(r"running on (http://\S+)", "".join(log))
                if found and "startup complete" in "".join(log):  # of a worker, perhaps
                    break
            else:
                pytest.fail(f"the service did not start:\n{''.join(log)}")
            _await_listening(found[1])  # which a worker begins after it says so
            yield found[1]
        finally:
            process.terminate()
            log.append(process.communicate(timeout=SECONDS)[0])


def _await_listening(address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=SECONDS).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def check_documented_client(address: str) -> None:
    page = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
    [block] = [one for one in re.findall("```python\n(.*?)```", page, re.DOTALL) if "urllib" in one]
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 - what readers are told to run
    [row] = names["recommend"]([100], k=1, service=address)
    assert row["items"] == [1004]
    with pytest.raises(ValueError, match="k: Input should be greater"):
        names["recommend"]([100], k=0, service=address)


def test_requests_are_answered_while_the_model_is_replaced(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    with serving(folder) as address:
        first = ask(f"{address}/health")["model"]
        question = {"user_ids": [100], "k": 1}
        want = {first: [1004]}
        assert ask(f"{address}/recommend", question)["results"][0]["items"] == [1004]
        with pytest.raises(urllib.error.HTTPError, match="422"):
            ask(f"{address}/recommend", {"user_ids": [100], "k": 0})
        check_documented_client(address)
        write_model(folder, [[-1.0]], LINE, [])
        give_up = time.monotonic() + SECONDS
        while len(want) == 1:
            answer = ask(f"{address}/recommend", question)
            expected = want.setdefault(answer["model"], [1000])
            assert answer["results"][0]["items"] == expected
            assert time.monotonic() < give_up
        assert ask(f"{address}/health")["status"] == "ok"


def raw(address: str, request: bytes) -> bytes:
    """What the service says to these bytes, until it hangs up."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as one:
        one.sendall(request)
        return b"".join(iter(lambda: one.recv(2**16), b""))


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_key_is_required_and_nowhere_shown(tmp_path: Path, workers: str) -> None:
    pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    log: list[str] = []
    key = "not-to-be-seen"
    options = ("--access-log", "--workers", workers)
    with serving(folder, *options, log=log, TWOTOWER_API_KEY=f"older,{key}") as address:
        assert ask(f"{address}/health")["status"] == "ok"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(f"{address}/recommend", {"user_ids": [100]})
        head = f"GET / HTTP/1.1\r\nconnection: close\r\nx-api-key: {key}\r\n"
        answer = raw(address, f"{head}\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nx-content-type-options: nosniff\r\n" in answer
        assert b"\r\nserver:" not in answer
        odd = "GET /%0d%0aINFO:%20fake?\xff\x80a HTTP/1.1\r\nconnection: close\r\n\r\n"
        assert raw(address, odd.encode("latin-1")).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))
        assert key.encode() not in answer
    text = "".join(log)
    assert " 401" in text
    assert key not in text
    assert "Traceback" not in text
    assert not re.search("^INFO: fake", text, re.MULTILINE)


BODY = json.dumps({"user_ids": [100], "k": 1}).encode()
HEAD = f"POST /recommend HTTP/1.1\r\ncontent-type: application/json\r\nconnection: close\r\n\
content-length: {len(BODY)}\r\nx-request-id: last\r\n\r\n".encode()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_asked_before_the_end_is_answered_and_logged(tmp_path: Path, workers: str) -> None:
    pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')
    folder, exposures = write_model(tmp_path / "m", [[1.0]], LINE, []), tmp_path / "exposures"
    options = ("--workers", workers, "--log-format", "json", "--access-log")
    log: list[str] = []
    answers: list[bytes] = []

    def finish() -> None:
        one.sendall(BODY[5:])
        answers.append(b"".join(iter(lambda: one.recv(2**16), b"")))

    with serving(folder, *options, "--exposures", str(exposures), log=log) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        one = socket.create_connection((host, int(port)), timeout=SECONDS)
        one.sendall(HEAD + BODY[:5])
        time.sleep(0.5)
        rest = threading.Timer(1.5, finish)  # that is, after the service was told to end
        rest.start()
    rest.join()
    one.close()
    [answer] = answers
    assert answer.startswith(b"HTTP/1.1 200 OK")
    lines = [json.loads(line) for line in "".join(log).splitlines()]  # each is an object
    messages = [line["message"] for line in lines]
    assert messages.index("Shutting down") < messages.index("POST /recommend 200")
    [path] = exposures.iterdir()
    [exposure] = map(json.loads, path.read_bytes().splitlines())
    assert (exposure["request_id"], exposure["items"]) == ("last", [1004])


@pytest.mark.parametrize("text", ["", " ", "a,,b"])
def test_a_blank_key_is_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')
    monkeypatch.setenv("TWOTOWER_API_KEY", text)
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    error = error_of("serve", "--artifacts", folder)
    assert error.startswith("TWOTOWER_API_KEY: must be a key of visible ASCII")


@pytest.mark.parametrize(
    ("host", "key", "noted"),
    [
        ("127.0.0.1", None, False),
        ("127.8.9.1", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),  # noqa: S104 - uvicorn is not started
        ("::", None, True),
        ("shop.example", None, True),
        ("0.0.0.0", "key", False),  # noqa: S104 - likewise
    ],
)
def test_it_says_once_where_everyone_may_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, key: str | None, noted: bool
) -> None:
    uvicorn = pytest.importorskip("uvicorn", reason='needs pip install "twotower[serve]"')
    given: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **options: given.update(options))
    monkeypatch.delenv("TWOTOWER_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("TWOTOWER_API_KEY", key)
    monkeypatch.setenv("TWOTOWER_SERVE", "")  # so that it is put back
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    told = CliRunner().invoke(app, ["serve", "--artifacts", str(folder), "--host", host])
    assert told.exit_code == 0
    assert given["host"] == host
    assert told.stderr.count(f"note: whoever reaches {host} may ask") == noted


def test_it_listens_on_this_machine_alone() -> None:
    assert inspect.signature(serve).parameters["host"].default == "127.0.0.1"


def test_without_a_model_nothing_is_served(tmp_path: Path) -> None:
    command, folder = ["serve", "--artifacts"], tmp_path / "m"
    assert "not a complete model folder" in error_of(*command, tmp_path)
    write_model(folder, [[1.0]], LINE, [])
    assert "has no index; set refit.index" in error_of(*command, folder, "--approximate")
    (folder / "best_model.pth").write_bytes(b"damaged")
    assert "best_model.pth does not match its digest" in error_of(*command, folder)
    assert load_artifacts(folder).meta["format_version"] == 2


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    error = error_of("serve", "--artifacts", tmp_path)
    assert 'needs uvicorn: pip install "twotower[serve]"' in error


def test_the_defaults_are_those_of_the_service(tmp_path: Path) -> None:
    service = pytest.importorskip("twotower.serving.http_app", reason="needs FastAPI")
    options = service.ServeOptions(artifacts=tmp_path)
    defaults = {name: p.default for name, p in inspect.signature(serve).parameters.items()}
    for name in ("approximate", "mmap", "poll", "max_k", "max_batch", "max_seconds"):
        assert defaults[name] == getattr(options, name)
