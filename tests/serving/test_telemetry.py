"""Names of requests, and their lines in the log."""

import io
import json
import logging.config
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.conftest import LINE, write_model

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi.testclient import TestClient

from twotower.serving.http_app import ServeOptions, create_app
from twotower.serving.json_log import JsonFormatter, json_log
from twotower.serving.telemetry import LOG

MADE = re.compile("[0-9a-f]{32}")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = write_model(tmp_path_factory.mktemp("named") / "m", [[1.0]], LINE, [])
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0))) as client:
        yield client


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged of requests."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    yield stream
    LOG.removeHandler(handler)
    LOG.setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    "given", ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d:e/f+g=@", "x" * 128]
)
def test_the_name_that_a_client_gives_is_kept(client: TestClient, given: str) -> None:
    assert client.get("/health", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", 'a"b', "x" * 129, "\x1b[31m", "a\x00", b"\xff"])
def test_any_other_is_replaced(client: TestClient, given: Any) -> None:
    answer = client.get("/health", headers={"x-request-id": given})
    assert MADE.fullmatch(answer.headers["x-request-id"])


def test_each_request_has_a_name_of_its_own_whatever_becomes_of_it(client: TestClient) -> None:
    answers = [client.get(path) for path in ("/health", "/health", "/none", "/docs")]
    answers.append(client.post("/recommend", content=b"{"))
    names = {answer.headers["x-request-id"] for answer in answers}
    assert len(names) == len(answers)


def test_a_line_says_what_became_of_a_request(client: TestClient, log: io.StringIO) -> None:
    headers = {"x-request-id": "mine"}
    model = client.post("/recommend", json={"user_ids": [100, 7]}, headers=headers).json()["model"]
    client.post("/recommend", json={"user_ids": ["secret-user"]}, headers=headers)
    client.get("/a%0a{}?token=secret", headers=headers)
    answered, refused, elsewhere = map(json.loads, log.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answered.pop("time"))
    assert 0 < answered.pop("ms") < 60_000
    assert answered == {"level": "info", "message": "POST /recommend 200", "request_id": "mine",
                        "method": "POST", "route": "/recommend", "status": 200, "rows": 2,
                        "model": model}  # fmt: skip
    assert (refused["status"], refused["rows"], refused["model"]) == (422, None, None)
    assert (elsewhere["route"], elsewhere["status"]) == ("other", 404)
    assert "secret" not in log.getvalue()


def test_nothing_is_logged_of_requests_unless_asked_for() -> None:
    assert not LOG.isEnabledFor(logging.INFO)
    assert json_log(requests=False)["loggers"][LOG.name]["level"] == "WARNING"
    assert json_log(requests=True)["loggers"][LOG.name]["level"] == "INFO"


def test_a_record_is_one_line_of_ascii_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2-hunter2")
    try:
        msg = "hunter2-hunter2\nin a bug"
        raise RuntimeError(msg)
    except RuntimeError as error:
        caught = (RuntimeError, error, error.__traceback__)
    text = 'a\n{"level": "info"}\x1b[31m\u2028é postgresql://me:word@db/x'
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, text, None, caught)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert read["level"] == "error"
    assert read["message"] == 'a\n{"level": "info"}\x1b[31m\u2028é postgresql://***@db/x'
    assert read["exception"].startswith("Traceback")
    assert read["exception"].endswith("RuntimeError: ***\nin a bug")
