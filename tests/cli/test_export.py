"""`twotower export`."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.command import error_of, twotower
from tests.export.conftest import model, titles  # noqa: F401 - fixtures
from twotower.export.destination import DESTINATIONS, TowersFormat


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("place")
def test_items_and_users(model: Path, titles: Path) -> None:  # noqa: F811
    common = ["export", "--to", "parquet", "--artifacts", model]
    said = twotower(*common, "--output", "items", "--titles", titles).stderr
    assert said.startswith("items: 23 rows of model ")
    assert pq.read_table("items/rows.parquet")["title"].to_pylist()[:3] == ["Zero", None, "Two"]
    said = twotower(*common, "--output", "u", "--vectors", "users", "--name", "people").stderr
    assert said.startswith("people: 6 rows of model ")
    assert pq.read_schema("u/rows.parquet").names == ["user_id", "position", "seen", "vector"]


def test_titles_are_those_of_the_project(place: Path, model: Path, titles: Path) -> None:  # noqa: F811
    (place / "data" / "prepared").mkdir(parents=True)
    (place / "data" / "prepared" / "titles.parquet").write_bytes(titles.read_bytes())
    twotower("export", "--to", "parquet", "--artifacts", model, "--output", "out")
    assert "title" in pq.read_schema("out/rows.parquet").names


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "qdrent", "--url", "x"], "--to must be one of parquet, "),
        (["--to", "parquet"], "--to parquet needs --output, and no --url"),
        (["--to", "qdrant"], "--to qdrant needs --url, and no --output"),
        (["--to", "opensearch", "--url", ""], "--to opensearch needs --url, and no --output"),
        (["--to", "npy", "--output", "o", "--url", "x"], "--to npy needs --output, and no --url"),
        (["--to", "npy", "--output", "o", "--name", "A"], "--name 'A': must be of lower-case"),
        (["--to", "npy", "--output", "o", "--titles", "absent"], "absent"),
        (["--to", "onnx", "--output", "o", "--vectors", "items"], "--to onnx takes no --vectors"),
        (["--to", "onnx", "--output", "o", "--name", "a"], "--to onnx takes no --name"),
        (["--to", "onnx", "--output", "o", "--titles", "t"], "--to onnx takes no --titles"),
        (
            ["--to", "npy", "--output", "o", "--vectors", "users", "--titles", "t"],
            "--vectors users takes no --titles",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(model: Path, arguments: list[str], message: str) -> None:  # noqa: F811
    assert message in error_of("export", "--artifacts", model, *arguments)
    assert not Path("o").exists()


@pytest.mark.usefixtures("place")
def test_no_model() -> None:
    assert "run this in the repository" in error_of("export", "--to", "npy", "--output", "o")


@pytest.mark.usefixtures("place")
def test_towers_are_given_the_model_and_a_folder(model: Path, monkeypatch: Any) -> None:  # noqa: F811
    given = []
    row = TowersFormat("towers", "x", lambda artifacts, folder: given.append((artifacts, folder)))
    monkeypatch.setitem(DESTINATIONS, "towers", row)
    twotower("export", "--to", "towers", "--output", "o", "--artifacts", model)
    ((artifacts, folder),) = given
    assert (artifacts.folder, folder) == (model, Path("o"))
