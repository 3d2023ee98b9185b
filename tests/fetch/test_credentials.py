"""What the environment fills in, and what no message shows."""

import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.fetch.credentials import fill_in
from twotower.fetch.database import open_database


def test_a_value_is_escaped_as_urls_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "a/b@c:d%\n")
    address = fill_in("postgresql://me:${PW}@host/db", "data.source")
    assert address.url == "postgresql://me:a%2Fb%40c%3Ad%25@host/db"
    error = ValueError("no a/b@c:d% and no a%2Fb%40c%3Ad%25\nat all")
    assert address.explain(error) == "no *** and no *** at all"


def test_a_variable_may_be_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "postgresql://me:se%26cret@host/db")
    address = fill_in("${URL}", "data.source")
    assert address.url == "postgresql://me:se%26cret@host/db"
    assert address.explain(ValueError("se&cret is wrong")) == "*** is wrong"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match=r"^data.source: the environment variable NOWHERE is not"):
        fill_in("postgresql://me:${NOWHERE}@host/db", "data.source")


def test_an_error_without_words_has_its_type() -> None:
    assert fill_in("https://host/x", "k").explain(TimeoutError()) == "TimeoutError"


def test_a_value_is_not_shown_amid_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hunter2")
    address = fill_in("https://x${KEY}y.example.org/v${KEY}_1.csv", "k")
    assert address.explain(address.url) == "https://x***y.example.org/v***_1.csv"
    assert address.explain("cannot connect to xHunter2y") == "cannot connect to x***y"
    missing = r"^data.source: v\*\*\*_1.db: no such file$"
    with pytest.raises(DataError, match=missing), open_database("sqlite:///v${KEY}_1.db"):
        pass
