"""model_meta.json, believed only as far as it can be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import LINE, write_model
from twotower.artifacts import META
from twotower.artifacts.meta import DIGEST, digest_of, read_meta
from twotower.common.errors import ArtifactError
from twotower.serving import Recommender


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("meta") / "m", [[1.0]], LINE, [])


def changed(folder: Path, target: Path, **values: Any) -> Path:
    """A file of other values, and their digest."""
    meta = json.loads((folder / META).read_text()) | values
    meta[DIGEST] = digest_of(meta)
    (target / META).write_text(json.dumps(meta))
    return target


def test_a_value_that_was_changed_by_accident_is_noticed(folder: Path, tmp_path: Path) -> None:
    text = (folder / META).read_text()
    assert read_meta(folder)["model"]["similarity"] == "dot"
    (tmp_path / META).write_text(text.replace('"dot"', '"cosine"'))
    with pytest.raises(ValueError, match="does not match its own digest"):
        read_meta(tmp_path)


def test_a_folder_from_before_the_digest_is_read(folder: Path, tmp_path: Path) -> None:
    meta = json.loads((folder / META).read_text())
    del meta[DIGEST]
    (tmp_path / META).write_text(json.dumps(meta))
    assert read_meta(tmp_path) == meta


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"history": 5}, "history must be an object, got 5"),
        ({"history": {"user_exponent": "x" * 10**6}}, "user_exponent must be a number from 0 to 2"),
        ({"history": {"history_decay": 1}}, "history_decay must be a number from 0, less than 1"),
        ({"model": None}, "model must be an object"),
        ({"model": {"similarity": "l2"}}, "similarity cosine or dot"),
        ({"model": {"similarity": "dot", "user_tower": []}}, "user_tower must be text"),
        ({"model": {"similarity": "dot", "popularity_weight": -1}}, "a number >= 0, got -1"),
        ({"num_users": True}, "num_users must be a count"),
        ({"num_items_added": 10**30}, "num_items_added must be a count"),
        ({"trained_on": "train"}, "trained_on must be a list of names"),
        ({"metrics": [1]}, "metrics must be an object"),
        ({"files": ["item_vecs.npy"]}, "files must be an object"),
        ({"files": {"../../etc/passwd": "0" * 64}}, "which is not in a model folder"),
        ({"files": {"/etc/passwd": "0" * 64}}, "which is not in a model folder"),
        ({"files": {"C:\\x": "0" * 64}}, "which is not in a model folder"),
        ({"files": {"item_vecs.npy": 5}}, "must be a SHA-256, got 5"),
        ({"files": {}}, "files lacks user_vecs.npy"),
        ({"format_version": "2"}, "format_version must be 2, got '2'"),
    ],
)
def test_values_that_cannot_be_are_refused_in_a_line(
    folder: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError) as caught:
        Recommender.load(changed(folder, tmp_path, **values))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 10**5, '{"a":' * 10**5, "9" * 5000, '{"format_version": 1e400}',
     '{"format_version": NaN}', "\udcff"],
)  # fmt: skip
def test_text_that_is_no_object_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / META).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ArtifactError, match="not a complete model folder") as caught:
        Recommender.load(tmp_path)
    assert len(str(caught.value)) < 500


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with (tmp_path / META).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ArtifactError, match="more than 16,777,216 bytes"):
        Recommender.load(tmp_path)
