"""Requests with a second stage, over HTTP."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.serving.conftest import LINE, write_model

pytest.importorskip("fastapi", reason='needs pip install "twotower[serve]"')

from fastapi.testclient import TestClient

from twotower.data.features import Categorical, Features
from twotower.serving.http_app import ServeOptions, create_app


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Items 1000..1004; 1002 alone is of brand y."""
    brands = Features({"brand": Categorical(np.array([1, 1, 2, 1, 1]), ("x", "y"))})
    folder = write_model(tmp_path_factory.mktemp("shop") / "m", [[1.0]], LINE, [], features=brands)
    with TestClient(create_app(ServeOptions(artifacts=folder, poll=0))) as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ({"user_ids": [100, 7], "max_per": {"brand": 1}}, [[1004, 1002], [1000, 1002]]),
        ({"histories": [[1004]], "max_per": {"brand": 2}}, [[1003, 1002, 1001]]),
        ({"user_ids": [100], "k": 2, "diversity": 1, "max_per": {}}, [[1004, 1003]]),
    ],
)
def test_diversity_and_caps(shop: TestClient, asked: Any, want: Any) -> None:
    answer = shop.post("/recommend", json=asked)
    assert [row["items"] for row in answer.json()["results"]] == want


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('"diversity": 1.01', "diversity: Input should be less than or equal to 1"),
        ('"diversity": NaN', "diversity: Input should be "),
        ('"diversity": true', "diversity: Input should be a valid number"),
        ('"diversity": "0.3"', "diversity: Input should be a valid number"),
        ('"max_per": {"brand": 0}', "max_per.brand: Input should be greater than or equal to 1"),
        ('"max_per": {"brand": 1.5}', "max_per.brand: Input should be a valid integer"),
        ('"max_per": ["brand"]', "max_per: Input should be a valid dictionary"),
        ('"max_per": {"colour": 1}', "max_per: must be one of brand, got 'colour'"),
        ('"max_per": {"": 1}', "max_per: must be one of brand, got ''"),
    ],
)
def test_impossible_diversities_and_caps_are_refused(
    shop: TestClient, body: str, words: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = shop.post("/recommend", content=f'{{"user_ids": [100], {body}}}', headers=headers)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
