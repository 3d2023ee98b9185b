"""Opening a model folder."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.serving.conftest import LINE, vouch, write_model
from twotower import Recommender
from twotower.artifacts import META, copy_model, load_artifacts, verify_artifacts
from twotower.common.errors import ArtifactError
from twotower.common.files import write_json

USERS, DIM = 1_000_000, 64
SEEN = [(0, 1), (0, 2), (1, 0)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a million users; the vectors are a hole in their file, all zeros."""
    folder = write_model(tmp_path_factory.mktemp("large") / "m", [[1.0] * DIM], [[1.0] * DIM], [])
    ids = pd.DataFrame({"user_id": np.arange(USERS)})
    ids.to_parquet(folder / "vocabulary" / "users.parquet", index=False)
    np.save(folder / "seen_offsets.npy", np.zeros(USERS + 1, np.int64))
    shape = USERS, DIM
    vectors = np.lib.format.open_memmap(folder / "user_vecs.npy", "w+", np.float32, shape)
    vectors[USERS - 1] = 1.0
    vectors.flush()
    return vouch(folder)


@pytest.mark.parametrize(
    ("version", "remedy"),
    [(1, "dvc repro -f -s refit"), (99, "update this package")],
)
def test_another_format_version_names_the_remedy(tmp_path: Path, version: int, remedy: str) -> None:
    write_json(tmp_path / META, {"format_version": version})
    with pytest.raises(ArtifactError, match=f"format version {version}, .*; {remedy}"):
        load_artifacts(tmp_path)


def test_a_million_vectors_are_mapped_and_not_read(large: Path) -> None:
    size = (large / "user_vecs.npy").stat().st_size
    process = psutil.Process()
    before = process.memory_info().rss
    artifacts = load_artifacts(large)
    assert process.memory_info().rss - before < size / 10
    assert artifacts.user_vecs.shape == (USERS, DIM)
    assert not artifacts.user_vecs.flags.owndata
    answer = Recommender(artifacts).recommend([USERS - 1, 7], k=1)
    assert answer.item_ids == [[1000], [1000]]
    assert list(answer.source) == ["model", "popularity"]
    assert process.memory_info().rss - before < size


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m", [[1.0], [2.0]], LINE[:3], SEEN)


def every_seventh(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[130::7] = bytes(byte ^ 0x55 for byte in data[130::7])
    path.write_bytes(data)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", ["item_vecs.npy", "seen_items.npy", "vocabulary/users.parquet"])
def test_a_damaged_file_is_refused_before_it_is_used(small: Path, name: str, mmap: bool) -> None:
    every_seventh(small / name)
    with pytest.raises(ArtifactError, match=f"{Path(name).name} does not match its digest"):
        load_artifacts(small, mmap=mmap)


def test_files_that_are_read_later_are_compared_then(small: Path) -> None:
    every_seventh(small / "best_model.pth")
    artifacts = load_artifacts(small)
    with pytest.raises(ArtifactError, match=r"best_model\.pth does not match its digest"):
        artifacts.towers  # noqa: B018 - it is read on first use
    with pytest.raises(ArtifactError, match=r"best_model\.pth does not match its digest"):
        artifacts.check_rest()
    (small / "vocabulary" / "features.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"features\.json does not match its digest"):
        artifacts.catalogue  # noqa: B018 - as above


def test_without_verification_a_changed_file_is_believed(small: Path) -> None:
    vectors = np.load(small / "item_vecs.npy")
    np.save(small / "item_vecs.npy", vectors * 2)
    with pytest.raises(ArtifactError, match="does not match"):
        load_artifacts(small)
    artifacts = load_artifacts(small, verify=False)
    assert np.array_equal(artifacts.item_vecs, vectors * 2)
    assert len(artifacts.catalogue.items) == 3
    write_model(small, [[1.0], [2.0]], LINE[:3], [])
    later = load_artifacts(small, verify=False)
    write_model(small, [[1.0], [2.0]], LINE[:3], SEEN)
    with pytest.raises(ArtifactError, match="another model than when it was opened"):
        later.catalogue  # noqa: B018 - as above


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes with names")
def test_an_array_of_a_feature_that_no_hash_covers_is_not_opened(small: Path) -> None:
    os.mkfifo(small / "vocabulary" / "items.0.axes.npy")
    with pytest.raises(ArtifactError, match=r"files lacks vocabulary/items\.0\.axes\.npy"):
        load_artifacts(small).catalogue  # noqa: B018 - read when first asked for


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("item_vecs", np.full((3, 1), np.nan, np.float32), "not finite"),
        ("item_vecs", np.zeros((3, 2), np.float32), "user_vecs.npy has shape"),
        ("seen_items", np.array([1, 2, 3]), "not the items of a user, ascending"),
        ("seen_items", np.array([2, 1, 0]), "not the items of a user, ascending"),
        ("seen_items", np.array([-1, 2, 0]), "not the items of a user, ascending"),
        ("seen_offsets", np.array([0, 4, 3]), "does not ascend from 0"),
        ("seen_offsets", np.array([1, 2, 3]), "seen_items.npy do not match"),
        ("item_counts", np.array([1, -1, 1]), "a count below 0"),
    ],
)
def test_arrays_that_cannot_be_are_refused_whatever_the_hashes_say(
    small: Path, name: str, array: np.ndarray, message: str
) -> None:
    np.save(small / f"{name}.npy", array)
    with pytest.raises(ArtifactError, match=message):
        load_artifacts(vouch(small))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_are_followed_to_the_file_that_was_meant_and_to_no_other(
    small: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"  # as DVC keeps files with cache.type symlink
    (small / "item_vecs.npy").rename(cache)
    (small / "item_vecs.npy").symlink_to(cache)
    load_artifacts(small)
    secret = tmp_path / "secret"
    secret.write_text("PASSWORD=1234")
    for name in ("item_vecs.npy", "vocabulary/users.parquet", META):
        kept = (small / name).read_bytes()
        (small / name).unlink()
        (small / name).symlink_to(secret)
        for verify in (True, False):
            with pytest.raises(ArtifactError) as caught:
                load_artifacts(small, verify=verify)
            assert "PASS" not in str(caught.value)
        (small / name).unlink()
        (small / name).write_bytes(kept)


def test_only_files_of_the_model_are_copied(small: Path, tmp_path: Path) -> None:
    (small / "notes.txt").write_text("a file beside them, perhaps a link to a key")
    copy_model(load_artifacts(small), tmp_path / "copy")
    copied = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied == {path.name for path in small.rglob("*") if path.is_file()} - {"notes.txt"}
    verify_artifacts(tmp_path / "copy")
