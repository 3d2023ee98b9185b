"""Opening a model folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.serving.conftest import vouch, write_model
from twotower import Recommender
from twotower.artifacts import META, load_artifacts
from twotower.common.errors import ArtifactError
from twotower.common.files import write_json

USERS, DIM = 1_000_000, 64


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
