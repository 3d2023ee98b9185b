import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.new_items.test_encode import NEW, trained
from tests.serving.conftest import ASKED, LINE, WRITTEN, composed, write_model

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi.testclient import TestClient

from twotower.new_items.grow import write_with_items
from twotower.serving import endpoints, guard
from twotower.serving.http_app import ServeOptions, create_app
from twotower.serving.live_model import LiveModel, Served


def client_of(folder: Path, **options: Any) -> TestClient:
    return TestClient(create_app(ServeOptions(artifacts=folder, poll=0, **options)))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    seen = [(0, 4), (0, 0), (0, 0), (1, 0)]
    folder = write_model(tmp_path_factory.mktemp("app") / "m", [[1.0], [-1.0]], LINE, seen)
    with client_of(folder, max_k=50, max_batch=4, max_body=2000) as client:
        yield client


class Swapping(LiveModel):
    """A model that another one replaces between any two looks."""

    def __init__(self, folder: Path, other: Path) -> None:
        self._both = [LiveModel(folder).served, LiveModel(other).served]
        super().__init__(folder)

    @property
    def served(self) -> Served:
        self._both.reverse()
        return self._both[0]


def test_an_answer_is_of_the_model_that_it_names(tmp_path: Path) -> None:
    folders = [
        write_model(tmp_path / name, [[sign], [-sign]], LINE, [(0, 0)])
        for name, sign in (("a", 1.0), ("b", -1.0))
    ]
    asked, want = {"user_ids": [100]}, {}
    for folder in folders:
        with client_of(folder) as client:
            answer = client.post("/recommend", json=asked).json()
            want[answer["model"]] = answer
    assert len(want) == 2
    options = ServeOptions(artifacts=folders[0], poll=0)
    with TestClient(create_app(options, Swapping(*folders))) as client:
        for _ in range(3):
            answer = client.post("/recommend", json=asked).json()
            assert answer == want[answer["model"]]


def test_health(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    version = answer.json().pop("model")
    assert len(version) == 12
    assert answer.json() == {"status": "ok", "model": version, "num_users": 2, "num_items": 5,
                             "num_items_cold": 3, "problem": None}  # fmt: skip


def test_the_front_page_says_what_it_is_and_where_to_go(client: TestClient) -> None:
    facts = client.get("/").json()
    assert facts["model"] == client.get("/health").json()["model"]
    paths = client.get("/openapi.json").json()["paths"]
    named = {f"{m.upper()} {path}" for path, methods in paths.items() for m in methods}
    assert set(facts["endpoints"]) == named
    assert client.get(facts["docs"]).status_code == 200
    page = client.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "2 users, 5 items" in page.text
    links = re.findall('href="(.*?)"', page.text)
    assert [client.get(f"/{link}").status_code for link in links] == [200] * 3
    assert "<code>POST /recommend</code>" in page.text


def test_the_documentation_asks_no_other_server(client: TestClient) -> None:
    page = client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="(.*?)"', page)
    assert len(loaded) >= 2
    for address in loaded:
        assert address.startswith("/")
        assert client.get(address).status_code == 200
    assert "//" not in page


def test_recommend(client: TestClient) -> None:
    answer = client.post("/recommend", json={"user_ids": [100, 7], "k": 2})
    assert answer.status_code == 200
    assert answer.json() == {
        "model": client.get("/health").json()["model"],
        "results": [
            {"user_id": 100, "items": [1003, 1002], "scores": [4, 3], "source": "model"},
            {"user_id": 7, "items": [1000, 1004], "scores": [3, 1], "source": "popularity"},
        ],
    }


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ({"user_ids": [100], "exclude_seen": False, "k": 1}, [[1004]]),
        ({"user_ids": [100], "allowed": [1001, 1002, 55], "blocked": [1002, 56]}, [[1001]]),
        ({"user_ids": [100], "allowed": []}, [[]]),
        ({"user_ids": []}, []),
        ({"user_ids": [100, 100], "k": 50}, [[1003, 1002, 1001]] * 2),
        ({"histories": [[1000, 1004], [99], []], "k": 1}, [[1003], [1000], [1000]]),
        ({"histories": []}, []),
    ],
)
def test_what_can_be_asked(client: TestClient, asked: Any, want: Any) -> None:
    answer = client.post("/recommend", json=asked)
    assert answer.status_code == 200
    assert [row["items"] for row in answer.json()["results"]] == want


@pytest.mark.parametrize(
    ("most", "body"),
    [
        (10 + 4 * endpoints.ID, {"user_ids": [100, 7, 7]}),
        (10 + 4 * endpoints.ID, {"user_ids": [100, 7], "k": 3}),
        (10 + 4 * endpoints.ID, {"user_ids": [100, 7], "blocked": [1004]}),
        (9 + 4 * endpoints.ID, {"user_ids": [100, 7]}),
        (endpoints.AT_ONCE, {"user_ids": [100, 7], "diversity": 0.5}),
        (endpoints.AT_ONCE, {"histories": [[1000]]}),
    ],
)
def test_a_large_request_is_answered_in_a_thread(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, most: int, body: dict[str, Any]
) -> None:
    threads, recommend = [], endpoints._recommend

    def noted(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return recommend(*arguments)

    monkeypatch.setattr(endpoints, "_recommend", noted)
    monkeypatch.setattr(endpoints, "AT_ONCE", 10 + 4 * endpoints.ID)  # five items of one dimension
    small = client.post("/recommend", json={"user_ids": [100, 7], "k": 2})
    monkeypatch.setattr(endpoints, "AT_ONCE", most)
    large = client.post("/recommend", json={"k": 2, **body})
    assert small.status_code == large.status_code == 200
    assert len(set(threads)) == 2


def test_similar(client: TestClient) -> None:
    answer = client.post("/similar", json={"item_ids": [1000, 55], "k": 2})
    assert answer.json()["results"] == [
        {"similar_to": 1000, "items": [1001, 1002], "scores": [1, 1], "source": "model"},
        {"similar_to": 55, "items": [], "scores": [], "source": "unknown"},
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"user_ids": ["100"]}', "user ids of this model are integers, got '100' (str)"),
        ('{"user_ids": [1e2]}', "user_ids.0: must be an integer or a string, whichever the ids"),
        ('{"user_ids": [true]}', "user_ids.0"),
        ('{"user_ids": [null]}', "user_ids.0"),
        ('{"user_ids": [NaN]}', "user_ids.0"),
        ('{"user_ids": [99999999999999999999]}', "64-bit"),
        ('{"user_ids": 100}', "user_ids"),
        ('{"user_ids": [100], "histories": []}', "exactly one of user_ids and histories"),
        ("{}", "exactly one of user_ids and histories"),
        ('{"histories": [["1000"]]}', "item ids of this model are integers"),
        ('{"histories": [[1.5]]}', "histories.0.0: must be an integer or a string"),
        ('{"user_ids": [100], "k": 0}', "k: Input should be greater than or equal to 1"),
        ('{"user_ids": [100], "k": -1}', "k:"),
        ('{"user_ids": [100], "k": 2.5}', "k:"),
        ('{"user_ids": [100], "k": 51}', "k: must be at most 50 per request, got 51"),
        (
            '{"user_ids": [1, 2, 3, 4, 5]}',
            "rows: must be at most 4 per request, got 5",
        ),
        ('{"user_ids": [100], "topk": 3}', "topk: there is no such key"),
        ('{"user_ids": [100], "allowed": ["x"]}', "item ids of this model are integers"),
        ('{"user_ids": [100], "exclude_seen": "yes"}', "exclude_seen"),
        ("{", "the body is not valid JSON: error at character 1"),
        ("", "the body is missing"),
        ("[]", "dictionary"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(
    client: TestClient, body: str, words: str
) -> None:
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"user_ids": [100], "x" * 5000: 1},
        {"user_ids": [100], "max_per": {"x" * 5000: 0}},
        {"user_ids": [10**1000]},
        {"user_ids": [100], "k": 10**1000},
    ],
)
def test_a_reason_is_short_whatever_it_quotes(tmp_path: Path, body: Any) -> None:
    client = client_of(write_model(tmp_path / "m", [[1.0]], LINE, []))
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 422
    assert 10 < len(answer.json()["detail"]) <= 1000


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    client = client_of(write_model(tmp_path / "m", [[1.0]], LINE, []), max_seconds=-1)
    for path, body in (
        ("/recommend", {"user_ids": [100]}),
        ("/recommend", {"user_ids": [100], "diversity": 0.5}),
        ("/similar", {"item_ids": [1000]}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 503
        assert "takes too long: ask for fewer rows" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0


def test_a_large_answer_comes_in_pieces_and_whole(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"user_ids": [100] * 4, "k": 50}
    headers = {"x-request-id": "same"}
    whole = client.post("/recommend", json=asked, headers=headers)
    for size in (1, 7, len(whole.content) - 1):
        monkeypatch.setattr(endpoints, "PIECE", size)
        monkeypatch.setattr(guard, "PIECE", size)
        pieces = client.post("/recommend", json=asked, headers=headers)
        assert (pieces.content, pieces.headers) == (whole.content, whole.headers)


HOSTILE = [
    b"[" * 1900,
    b"9" * 1900,
    b'{"user_ids": ["\xff"]}',
    b'{"user_ids": [Infinity]}',
    b'{"user_ids": [1e999]}',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bodies_are_the_clients_mistake(client: TestClient, body: bytes) -> None:
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert isinstance(answer.json()["detail"], str)


def test_a_body_that_is_not_declared_as_json_is_refused(client: TestClient) -> None:
    answer = client.post("/recommend", content='{"user_ids": [100]}')
    assert answer.status_code == 422
    assert "content-type: application/json" in answer.json()["detail"]


def test_bodies_that_are_too_long_are_refused(client: TestClient) -> None:
    body = json.dumps({"user_ids": list(range(1000))}).encode()
    chunks = (body[start : start + 500] for start in range(0, len(body), 500))
    for content in (body, chunks):
        answer = client.post("/recommend", content=content)
        assert answer.status_code == 413
        assert "Content Too Large" in answer.text
    short = json.dumps({"user_ids": [100], "k": 1}).encode()
    pieces = (short[start : start + 5] for start in range(0, len(short), 5))
    answer = client.post("/recommend", content=pieces, headers={"content-type": "application/json"})
    assert answer.json()["results"][0]["items"] == [1003]


@pytest.mark.parametrize("path", ["/", "/health"])
def test_monitors_may_ask_for_the_head_alone(client: TestClient, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_other_addresses_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").status_code == 404
    assert client.post("/recommend/").status_code == 404  # no way to where the client's host says
    assert client.get("/recommend").status_code == 405


def test_string_ids(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE[:2], [], users=["007"], items=["é", "01"])
    client = client_of(folder)
    answer = client.post("/recommend", json={"user_ids": ["007", "7", "\x00"], "k": 1}).json()
    assert [row["source"] for row in answer["results"]] == ["model", "popularity", "popularity"]
    assert answer["results"][0]["items"] == ["01"]
    for body in ('{"user_ids": [7]}', '{"user_ids": ["\\ud800"]}'):
        refused = client.post(
            "/recommend", content=body, headers={"content-type": "application/json"}
        )
        assert refused.status_code == 422
        assert "user id" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "want"),
    [
        ("/recommend", {"user_ids": [ASKED], "allowed": [ASKED]}, [WRITTEN]),
        ("/recommend", {"user_ids": [ASKED], "blocked": [ASKED]}, ["c"]),
        ("/recommend", {"histories": [[ASKED]]}, ["c", "a"]),
        ("/similar", {"item_ids": [ASKED], "blocked": [ASKED]}, ["a", "c"]),
    ],
)
def test_text_is_written_as_in_the_data(tmp_path: Path, path: str, body: Any, want: Any) -> None:
    (row,) = client_of(composed(tmp_path / "m")).post(path, json=body).json()["results"]
    assert row["items"] == want
    assert row.get("user_id", WRITTEN) == WRITTEN
    assert row.get("similar_to", WRITTEN) == WRITTEN


def test_documentation_names_every_answer(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/health", "/metrics", "/recommend", "/similar"}
    assert set(paths["/recommend"]["post"]["responses"]) == {"200", "400", "413", "422", "503"}
    assert client.get("/docs").status_code == 200


def test_documentation_describes_every_field_of_a_request(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("RecommendRequest", "SimilarRequest"):
        fields = schemas[name]["properties"].values()
        assert all(field["description"].endswith(".") for field in fields)


def test_a_folder_that_breaks_is_told_and_the_old_model_answers(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [])
    live = LiveModel(folder)
    client = TestClient(create_app(ServeOptions(artifacts=folder, poll=0), live))
    version = client.get("/health").json()["model"]
    np.save(folder / "user_vecs.npy", np.zeros((1, 1), np.float32))
    (folder / "model_meta.json").touch()
    live.refresh()
    health = client.get("/health").json()
    assert (health["status"], health["model"]) == ("degraded", version)
    assert "user_vecs.npy" in health["problem"]
    answer = client.post("/recommend", json={"user_ids": [100], "k": 1}).json()
    assert answer["results"][0]["items"] == [1004]
    write_model(folder, [[-1.0]], LINE, [])
    live.refresh()
    answer = client.post("/recommend", json={"user_ids": [100], "k": 1}).json()
    assert answer["results"][0]["items"] == [1000]
    assert answer["model"] != version


def test_items_that_are_added_to_the_folder_are_served(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    larger = trained(folder).add_items(pd.DataFrame(NEW))
    live = LiveModel(folder)
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0), live)) as client:
        asked = {"histories": [[1003]], "allowed": [2000, 2001]}
        before = client.get("/health").json()["num_items_cold"]
        assert client.post("/recommend", json=asked).json()["results"][0]["items"] == []
        write_with_items(folder, larger.artifacts)
        assert live.refresh()
        health = client.get("/health").json()
        assert (health["num_items"], health["num_items_cold"]) == (26, before + 2)
        [row] = client.post("/recommend", json=asked).json()["results"]
        assert (sorted(row["items"]), row["source"]) == ([2000, 2001], "fold-in")
        [similar] = client.post("/similar", json={"item_ids": [2000], "k": 2}).json()["results"]
        assert len(similar["items"]) == 2
