from pathlib import Path

import numpy as np
import pytest

from benchmarks.comparison.datasets import load_dataset
from tests.conftest import events
from twotower.common.errors import ConfigError, DataError

ROOT = Path("nowhere")


def adjacency(seed: int) -> str:
    rng = np.random.default_rng(seed)
    lines = [f"{user} " + " ".join(map(str, rng.permutation(30)[:10])) for user in range(12)]
    return "\n".join(lines) + "\n"


def lightgcn(folder: Path, *names: str) -> str:
    folder.mkdir()
    for number, name in enumerate(names):
        (folder / name).write_text(adjacency(number))
    return str(folder)


def csv(folder: Path) -> str:
    folder.mkdir()
    frame = events(seed=0).drop(columns="weight")
    frame["timestamp"] = np.random.default_rng(0).permutation(len(frame))
    frame.to_csv(folder / "interactions.csv", index=False)
    return str(folder)


def test_folder_of_lightgcn_with_a_validation_split(tmp_path):
    name = lightgcn(tmp_path / "set", "train.txt", "valid.txt", "test.txt")
    dataset = load_dataset(name, ROOT, None, seed=1)
    assert dataset.name == "set"
    assert len(dataset.tuning.interactions) == 120
    assert len(dataset.final.interactions) == 240


def test_folder_of_lightgcn_without_one(tmp_path):
    name = lightgcn(tmp_path / "set", "train.txt", "test.txt")
    dataset = load_dataset(name, ROOT, None, seed=1)
    # Of each user's ten training rows one is held out; the final fold has all of them.
    assert len(dataset.tuning.interactions) == 12 * 9
    assert len(dataset.final.interactions) == 120
    assert (dataset.tuning.interactions.user_idx >= 0).all()
    assert len(dataset.tuning.target) == 12
    again = load_dataset(name, ROOT, None, seed=1)
    other = load_dataset(name, ROOT, None, seed=2)
    same = dataset.tuning.target.relevant.items.tolist()
    assert again.tuning.target.relevant.items.tolist() == same
    assert other.tuning.target.relevant.items.tolist() != same


def test_folder_of_csv_by_time_or_another_strategy(tmp_path):
    name = csv(tmp_path / "shop")
    by_time = load_dataset(name, ROOT, None, seed=1)
    assert len(by_time.final.interactions) == 30 * 11  # of twelve events the last is test
    cutoff = load_dataset(name, ROOT, "cutoff", seed=1)
    assert len(cutoff.final.interactions) == 360 - 36
    assert cutoff.final.interactions.timestamp.max() == 360 - 36 - 1
    assert cutoff.tuning.interactions.timestamp.max() == 360 - 72 - 1


def test_file_like_params_yaml(tmp_path):
    csv(tmp_path / "shop")
    path = tmp_path / "shop.yaml"
    path.write_text(f"data: {{root: {tmp_path / 'shop'}}}\nsplit: {{strategy: leave_last_out}}\n")
    dataset = load_dataset(str(path), ROOT, None, seed=1)
    assert dataset.name == "shop"
    assert len(dataset.tuning.interactions) == 30 * 10
    path.write_text("split: {strategy: leave_one}\n")
    with pytest.raises(ConfigError, match=r"split\.strategy"):
        load_dataset(str(path), ROOT, None, seed=1)


def test_masks_hide_the_history_of_each_fold(tmp_path):
    dataset = load_dataset(csv(tmp_path / "shop"), ROOT, None, seed=1)
    for fold in (dataset.tuning, dataset.final):
        seen = fold.interactions.distinct_items(
            len(fold.catalogue.users), len(fold.catalogue.items)
        )
        for row, user in enumerate(fold.target.users):
            masked = fold.target.masked.select(np.array([row])).items
            assert masked.tolist() == seen.select(np.array([user])).items.tolist()


def test_unknown_name():
    known = r"\(gowalla, ml-100k, beauty, tienda\)"
    with pytest.raises(DataError, match=rf"neverland: no data set {known}"):
        load_dataset("neverland", ROOT, None, seed=1)


def test_nothing_to_find(tmp_path):
    name = csv(tmp_path / "shop")
    path = tmp_path / "shop.yaml"
    path.write_text(f"data: {{root: {name}}}\nsplit: {{test: 0}}\n")
    with pytest.raises(DataError, match="the test split has no user"):
        load_dataset(str(path), ROOT, None, seed=1)


@pytest.mark.parametrize(
    ("name", "num_users", "num_rows"), [("ml-100k", 943, 80_808), ("tienda", 100, 4090)]
)
def test_known_data_sets(name, num_users, num_rows):
    root = Path(__file__).parents[2] / ".." / "shared" / "data"
    if not (root / name).is_dir():
        pytest.skip(f"{name} is not beside the repository, in ../shared/data")
    dataset = load_dataset(name, root, None, seed=1)
    assert len(dataset.tuning.catalogue.users) == num_users
    assert len(dataset.tuning.interactions) == num_rows


def test_a_known_data_set_may_have_an_objective_of_its_own(tmp_path):
    csv(tmp_path / "beauty")
    dataset = load_dataset("beauty", tmp_path, None, seed=1)
    assert dataset.objective == "ndcg_at_10"
    assert load_dataset(str(tmp_path / "beauty"), tmp_path, None, seed=1).objective == "ndcg_at_20"
    assert dataset.tuning.target.num_relevant.max() == 1
