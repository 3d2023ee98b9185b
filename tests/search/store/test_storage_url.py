import pickle
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.conftest import ODD_NAME
from twotower.common.errors import ConfigError, SearchError
from twotower.config import parse_config
from twotower.search.objective import Objective
from twotower.search.store.database import study_names
from twotower.search.store.locks import lock_key
from twotower.search.store.storage_url import holder, parse_storage, sqlite_storage

URL = "postgresql://me:s%40cr{e}t@host:1/db"


def test_postgresql_gets_its_driver() -> None:
    for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        storage = parse_storage(f"{scheme}://me@host/db", Path())
        assert storage.url.drivername == "postgresql+psycopg"
        assert storage.is_server


@pytest.mark.parametrize(
    "url", [URL, *(f"postgresql://me@host/db?{n}=s%40cr{{e}}t" for n in ("password", "PASSWORD"))]
)
def test_secrets_are_never_shown(url: str) -> None:
    storage = parse_storage(url, Path())
    shown = [str(storage), repr(storage), storage.explain(ValueError("no s@cr{e}t, no luck"))]
    assert not any("s@cr{e}t" in text or "s%40cr" in text for text in shown)
    assert "***" in shown[0]
    assert shown[2] == "no ***, no luck"


def test_a_url_in_the_wrong_place_keeps_its_secret() -> None:
    with pytest.raises(ConfigError, match=r"hpo\.storage: .*\*\*\*@host") as caught:
        parse_config({"hpo": {"storage": {"url": URL}}})
    assert "s%40cr" not in str(caught.value)


def test_workers_are_not_told_where_trials_are_stored(prepared: Path) -> None:
    objective = Objective(prepared, parse_config({"hpo": {"storage": URL}}))
    assert b"s%40cr" not in pickle.dumps(objective)


def test_braces_in_a_url_are_no_template() -> None:
    assert "s%40cr{{e}}t" in parse_storage(URL, Path()).optuna_url.replace("%7B", "{{").replace(
        "%7D", "}}"
    )


def test_files_are_relative_to_the_repository(tmp_path: Path) -> None:
    assert parse_storage("sqlite:///a/x.db", tmp_path).file == tmp_path / "a/x.db"
    assert parse_storage("sqlite:////b/x.db", tmp_path).file == Path("/b/x.db")
    assert not parse_storage("sqlite:///a/x.db", tmp_path).is_server


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "not a database URL"),
        ("postgresql://me:secret@host:port/db", "not a database URL"),
        ("mysql+pymysql://me:secret@host/db", r"sqlite and postgresql .* got mysql\+pymysql"),
        ("postgresql+asyncpg://me:secret@host/db", r"got postgresql\+asyncpg"),
        ("postgresql://me:part@secret@host/db", "an @ in .* must be written %40"),
        ("sqlite://", "in memory would lose the study"),
        ("sqlite:///:memory:", "in memory would lose the study"),
        ("sqlite:///file:x.db?uri=true", "by its path"),
    ],
)
def test_other_urls_are_refused(url: str, problem: str) -> None:
    with pytest.raises(SearchError, match=rf"hpo\.storage: .*{problem}") as caught:
        parse_storage(url, Path())
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SearchError, match=r'\*\*\*@host.*pip install "psycopg\[binary\]"$'):
        study_names(parse_storage(URL, Path()))


def test_nobody_listening_is_one_line() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(SearchError, match=r"127\.0\.0\.1:1/db: .*refused.*is the server running"):
        study_names(parse_storage("postgresql://me:secret@127.0.0.1:1/db", Path()))


def test_waiting_is_bounded_unless_the_url_says_otherwise() -> None:
    given = parse_storage("postgresql://host/db?connect_timeout=3", Path()).engine_options()
    assert "connect_timeout" not in given["connect_args"]
    default = parse_storage("postgresql://host/db", Path()).engine_options()
    assert default["connect_args"]["connect_timeout"] == 10
    assert default["connect_args"]["application_name"] == holder()
    assert len(holder()) <= 63


def test_same_file_is_the_same_storage(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / ODD_NAME):
        assert parse_storage("sqlite:///x.db", root) == sqlite_storage(root / "x.db")
        url = sqlite_storage(root / "x.db").url.render_as_string()
        assert make_url(url).database == (root / "x.db").as_posix()


def test_lock_keys_are_stable_and_fit() -> None:
    assert lock_key("two-tower") == 8_698_572_900_591_146_853
    assert all(0 <= lock_key(str(n)) < 2**63 for n in range(100))
