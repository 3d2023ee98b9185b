"""Who may ask, and how many large requests are answered at a time."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.serving.conftest import LINE, write_model
from twotower.common.errors import ConfigError

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi.testclient import TestClient

from twotower.retrieval.rerank import POOL_PER_ITEM
from twotower.serving import connection, guard, request_body
from twotower.serving.guard import KEYS, TURNS, Guard, keys_of
from twotower.serving.http_app import ServeOptions, create_app

ASKED = {"user_ids": [100], "k": 1}
OTHERS = ("/", "/docs", "/openapi.json", "/nothing", "/static-offline-docs/swagger-ui.css")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = write_model(tmp_path_factory.mktemp("keys") / "m", [[1.0]], LINE, [])
    app = create_app(ServeOptions(artifacts=folder, poll=0), keys=(b"old-key", b"new-key"))
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(("given", "logged"), [("1.1.1.1", "1.1.1.1"), ("1\x9b31m", None)])
def test_the_log_names_no_address_that_a_terminal_would_obey(given: str, logged: Any) -> None:
    async def nothing(*_: Any) -> None:
        pass

    scope: dict[str, Any] = {"type": "http", "path": "/", "headers": [], "client": (given, 0)}

    asyncio.run(Guard(nothing, ())(scope, nothing, nothing))  # type: ignore[arg-type]
    assert scope["client"] == (logged and (logged, 0))


def test_keys_are_read_from_the_environment() -> None:
    assert keys_of({}) == ()
    assert keys_of({KEYS: "a"}) == (b"a",)
    assert keys_of({KEYS: " one, two\n"}) == (b"one", b"two")


@pytest.mark.parametrize(
    "text", ["", " ", ",", "secret,", "secret,,b", "s cret", "s\tcret", "sécret"]
)
def test_a_blank_key_is_refused_and_none_is_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=f"{KEYS}: must be a key of visible ASCII") as caught:
        keys_of({KEYS: text})
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer old-key"},
        {"Authorization": "bearer new-key"},
        {"authorization": "BEARER  old-key "},
        {"x-api-key": "new-key"},
        {"authorization": "Basic Zm9v", "x-api-key": "old-key"},
    ],
)
def test_whoever_has_a_key_is_answered(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/recommend", json=ASKED, headers=headers).status_code == 200
    assert client.get("/docs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "old-key"},
        {"authorization": "Basic old-key"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer old-key,new-key"},
        {"authorization": "Bearer old-ke"},
        {"authorization": "Bearer old-key2"},
        {"x-api-key": ""},
        {"x-api-key": "Bearer old-key"},
        {"x-api-key": "OLD-KEY"},
        {b"x-api-key": b"\xff"},
        {"cookie": "x-api-key=old-key"},
    ],
)
def test_others_are_not(client: TestClient, headers: Any) -> None:
    for path in OTHERS:
        assert client.get(path, headers=headers).status_code == 401
    answer = client.post("/recommend?key=old-key", content=b"{", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"detail": guard.NO_KEY}


def test_monitors_need_no_key(client: TestClient) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.head("/health").status_code == 200
    for path in ("/health/", "//health", "/health/../recommend", "/health%2f"):
        assert client.get(path).status_code == 401


def test_the_description_says_where_a_key_is_needed(client: TestClient, tmp_path: Path) -> None:
    headers = {"x-api-key": "old-key"}
    text = client.get("/openapi.json", headers=headers).text
    assert "old-key" not in text
    described = json.loads(text)
    schemes = described["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    recommend = described["paths"]["/recommend"]["post"]
    assert recommend["security"] == [{name: []} for name in schemes]
    assert "401" in recommend["responses"]
    assert described["paths"]["/health"]["get"]["security"] == []
    assert client.get("/", headers=headers).json()["endpoints"].keys() >= {"POST /recommend"}
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0))) as public:
        described = public.get("/openapi.json").json()
    assert "securitySchemes" not in described["components"]
    assert "401" not in described["paths"]["/recommend"]["post"]["responses"]


def test_large_requests_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WAIT", 0.05)
    inside = asyncio.Event()
    statuses: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await inside.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def ask_all() -> None:
        guarded = Guard(app, ())
        large = [(b"content-length", b"100000")], [(b"transfer-encoding", b"chunked")]
        scopes = [{"type": "http", "headers": large[turn % 2]} for turn in range(TURNS + 2)]
        scopes.append({"type": "http", "headers": [(b"content-length", b"99999")]})
        tasks = [asyncio.ensure_future(guarded(scope, None, send)) for scope in scopes]  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        assert statuses == [503, 503]
        inside.set()
        await asyncio.gather(*tasks)
        assert statuses == [503, 503] + [200] * (TURNS + 1)
        await guarded({"type": "http", "headers": large[0]}, None, send)  # type: ignore[arg-type]
        assert statuses[-1] == 200

    asyncio.run(ask_all())


def test_the_limits_are_documented() -> None:
    page = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
    [limits] = re.findall(r"\| limit \|.*?\n\n", page, re.DOTALL)
    seconds, options = connection.SECONDS, ServeOptions.model_fields
    for row in (
        f"{options['max_body'].default >> 20} MiB, {request_body.VALUES:,} values",
        f"{request_body.KEYS} keys",
        f"{connection.BESIDE >> 10} KiB",
        f"to send those | {seconds['head']} s",
        f"send the body | {seconds['body']} s",
        f"read the answer | {seconds['answer']} s",
        f"ahead of answers | {connection.AHEAD}",
        f"connections | {connection.CONNECTIONS}, or half",
        f"at a time | {TURNS} | they wait for {guard.WAIT:g} s",
        f"{options['max_seconds'].default:g} s (`--max-seconds`)",
    ):  # fmt: skip
        assert row in limits
    ids = f"{guard.LARGE_ANSWER:,} ids ({guard.LARGE_ANSWER // POOL_PER_ITEM} with"
    assert ids in page
    assert f"{10 ** (guard.LARGE_BODY - 1):,} bytes or more" in page


def test_a_turn_ends_when_the_answer_is_taken(client: TestClient) -> None:
    headers = {"x-api-key": "old-key"}
    for _ in range(2 * TURNS):
        asked = {"user_ids": [100] * 100, "k": 900}
        answer = client.post("/recommend", json=asked, headers=headers)
        assert len(answer.json()["results"]) == 100
