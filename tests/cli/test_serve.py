"""`twotower serve`, as a real process."""

import inspect
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import error_of
from tests.serving.conftest import LINE, write_model
from twotower.artifacts import load_artifacts
from twotower.cli.serve import serve

SECONDS = 60
"""To wait for what takes far less."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a service on a free port of this machine."""
    command = [sys.executable, "-m", "twotower", "serve", "--artifacts", str(folder)]
    command += ["--port", "0", "--poll", "0.05"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            log = ""
            for line in process.stderr:
                log += line
                if found := re.search(r"running on (http://\S+)", line):
                    break
            else:
                pytest.fail(f"the service did not start:\n{log}")
            yield found[1]
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        return json.load(answer)


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
        write_model(folder, [[-1.0]], LINE, [])
        give_up = time.monotonic() + SECONDS
        while len(want) == 1:
            answer = ask(f"{address}/recommend", question)
            expected = want.setdefault(answer["model"], [1000])
            assert answer["results"][0]["items"] == expected
            assert time.monotonic() < give_up
        assert ask(f"{address}/health")["status"] == "ok"


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
    app = pytest.importorskip("twotower.serving.http_app", reason="needs FastAPI")
    options = app.ServeOptions(artifacts=tmp_path)
    defaults = {name: p.default for name, p in inspect.signature(serve).parameters.items()}
    for name in ("approximate", "mmap", "poll", "max_k", "max_batch"):
        assert defaults[name] == getattr(options, name)
