"""The encoder's part of the work; a stand-in takes the place of the package and its model."""

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.data import sentences
from twotower.data.sentences import sentence_rows
from twotower.data.text import Text
from twotower.data.text_encoders import NO_TERMS

TEXTS = ["oak desk", "wool", "oak"]


class Letters:
    """A model whose vectors count letters."""

    read: list[str] = []  # noqa: RUF012

    def __init__(self, name: str, device: str) -> None:
        assert device == "cpu"
        if name == "nothing":
            raise OSError("nothing is not a model\nand more")

    def encode(self, texts: list[str], **options) -> np.ndarray:
        assert options["convert_to_numpy"]
        Letters.read += texts
        return np.array([[text.count(letter) for letter in "aklow"] for text in texts])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a model, in a repository."""
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = Letters  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setattr(sentences, "version", lambda name: f"{name} 1")
    monkeypatch.setattr(Letters, "read", [])
    monkeypatch.chdir(tmp_path)
    sentences._load.cache_clear()
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"1")
    return Path("model")


def encoded(cells: list[str | None]) -> Text:
    options = {"encoder": "sentence-transformers:model", "dims": 3}
    values = pa.chunked_array([cells], pa.string())
    return Text.encode(values, np.ones(len(cells), dtype=bool), "items: feature 'x'", options)


@pytest.mark.usefixtures("folder")
def test_the_same_texts_are_read_once() -> None:
    first = encoded([*TEXTS, None, "oak"])
    assert Letters.read == TEXTS
    assert first.values.shape == (5, 3)
    assert np.linalg.norm(first.values, axis=1) == pytest.approx([1, 1, 1, 0, 1])
    again = encoded([*TEXTS, None, "oak"])
    assert Letters.read == TEXTS
    assert np.array_equal(first.values, again.values)
    assert [path.suffix for path in Path(".hpo/texts").iterdir()] == [".npy"]


def test_another_model_in_the_folder_reads_them_anew(folder: Path) -> None:
    encoded(TEXTS)
    (folder / "weights").write_bytes(b"2")
    encoded(TEXTS)
    assert Letters.read == TEXTS * 2


@pytest.mark.usefixtures("folder")
def test_nothing_is_kept_outside_a_repository() -> None:
    Path("dvc.yaml").unlink()
    encoded(TEXTS)
    assert not Path(".hpo").exists()


@pytest.mark.usefixtures("folder")
def test_without_any_text_there_are_zeros() -> None:
    assert encoded([None, None]).values.tolist() == [[0.0], [0.0]]


@pytest.mark.usefixtures("folder")
def test_further_texts_are_kept_nowhere() -> None:
    column = encoded(TEXTS)
    more, unknown = column.encode_more(pa.chunked_array([["wool", None, "xyz"]]), "x")
    assert np.array_equal(more.values[0], column.values[1])
    assert not more.values[1:].any()
    assert unknown == 1
    assert len(list(Path(".hpo/texts").iterdir())) == 1


def test_further_texts_need_the_same_model(folder: Path) -> None:
    column = encoded(TEXTS)
    (folder / "weights").write_bytes(b"2")
    with pytest.raises(DataError, match="items: feature 'x': model is not the model that encoded"):
        column.encode_more(pa.chunked_array([["wool"]]), "items: feature 'x'")


@pytest.mark.usefixtures("folder")
def test_a_model_that_cannot_be_loaded_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"cannot load 'nothing' .nothing is not a model.;"):
        sentence_rows(TEXTS, NO_TERMS, "nothing", None)


@pytest.mark.usefixtures("folder")
def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sentences, "version", missing)
    with pytest.raises(ConfigError, match=r"^items: feature 'x': the encoder needs sentence-tr"):
        encoded(TEXTS)
    for kept in (None, Path("kept")):
        with pytest.raises(ConfigError, match=r'pip install "twotower\[text\]"'):
            sentence_rows(TEXTS, NO_TERMS, "model", kept)
