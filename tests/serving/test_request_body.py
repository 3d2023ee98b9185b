"""The bodies of requests are bounded before they are parsed."""

import json
from pathlib import Path

import pytest

from tests.serving.conftest import LINE, write_model

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi import HTTPException
from fastapi.testclient import TestClient

from twotower.serving import request_body
from twotower.serving.http_app import ServeOptions, create_app


@pytest.mark.parametrize("text", ["[1,2,3]", "[[],1]", '{"a":[1],"b":2}', "[[[]]]"])
def test_values_are_counted_before_they_are_parsed(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(request_body, "VALUES", 3)
    assert request_body.read(text.encode()) == json.loads(text)
    for more in (f"[{text}]", f"{text},", f"[{text}"):
        with pytest.raises(HTTPException, match="413: the body holds more than 3 values"):
            request_body.read(more.encode())


@pytest.mark.parametrize("key", ["", "max_per"])
def test_keys_are_counted(key: str) -> None:
    for number in (request_body.KEYS, request_body.KEYS + 1):
        keys = dict.fromkeys(map(str, range(number)), 1)
        body = json.dumps({key: keys} if key else keys).encode()
        if number > request_body.KEYS:
            with pytest.raises(HTTPException, match="more than 100 keys"):
                request_body.read(body)
        else:
            assert request_body.read(body)


def test_of_many_mistakes_one_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    client = TestClient(create_app(ServeOptions(artifacts=folder, poll=0)))
    headers = {"content-type": "application/json"}
    for key, wrong in (("user_ids", "{}"), ("histories", "[{}]"), ("allowed", "null")):
        body = f'{{"{key}":[{",".join([wrong] * 10_000)}]}}'
        answer = client.post("/recommend", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(f"{key}.0")
        assert len(answer.content) < 200
    answer = client.post("/recommend", content=b"[" * request_body.VALUES + b"[", headers=headers)
    assert answer.status_code == 413
    assert answer.json() == {"detail": f"the body holds more than {request_body.VALUES} values"}
