"""The real data sets, where they are present."""

import gzip
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from twotower.config import parse_config
from twotower.data.prepared import read_catalogue, read_split
from twotower.ingest import prepare

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / ".." / "shared" / "data"


def committed(name: str) -> dict[str, Any]:
    """params.yaml as committed, with only data.root changed."""
    root = SHARED / name
    if not root.is_dir():
        pytest.skip(f"{name} is not beside the repository, in ../shared/data")
    params: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"]["root"] = str(root)
    return params


def run(params: dict[str, Any], folder: Path) -> dict[str, Any]:
    return prepare(parse_config(params), folder / "prepared", folder / "data.json")


def test_tienda_with_root_alone(tmp_path):
    report = run(committed("tienda"), tmp_path)
    assert report["features"]["users"] == {"used": ["city"], "left_out": ["age_group", "interest"]}
    assert report["users"]["total"] == 100
    assert report["items"]["total"] == 50
    assert report["rows"]["total"] == 5000
    assert report["pairs"]["total"] == 3144
    catalogue = read_catalogue(tmp_path / "prepared" / "vocabulary")
    assert list(catalogue.users.features.columns) == ["city"]
    assert catalogue.items.features.columns["category"].categories == (
        "Deportes", "Electrónica", "Hogar", "Juguetes", "Ropa",
    )  # fmt: skip


def test_tienda_as_its_author_split_it(tmp_path):
    params = committed("tienda")
    params["split"]["test"] = 0
    report = run(params, tmp_path)
    assert report["rows"] == {"train": 4042, "validation": 958, "test": 0, "total": 5000}
    assert report["hidden"]["validation"]["repeated_pair_share"] == pytest.approx(0.55, abs=0.01)
    test = read_split(tmp_path / "prepared" / "test.parquet")
    assert len(test) == 0
    assert test.dtypes.astype(str).tolist() == ["int64", "int64", "int64", "float32"]


def test_tienda_gzipped(tmp_path):
    params = committed("tienda")
    report = run(params, tmp_path / "plain")
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in (SHARED / "tienda").iterdir():
        with gzip.open(raw / f"{path.name}.gz", "wb") as target, path.open("rb") as source:
            shutil.copyfileobj(source, target)
    params["data"]["root"] = str(raw)
    assert run(params, tmp_path / "gzipped")["rows"] == report["rows"]
    train = Path("prepared/train.parquet")
    assert (tmp_path / "gzipped" / train).read_bytes() == (tmp_path / "plain" / train).read_bytes()


def of_preset(name: str) -> dict[str, Any]:
    """params.yaml with the preset of a data set."""
    params = committed(name)
    root = params["data"]["root"]
    preset = yaml.safe_load((REPOSITORY / "presets" / f"{name}.yaml").read_text())
    for section, keys in preset.items():
        params[section] |= keys
    params["data"]["root"] = root
    return params


def test_ml_100k_by_its_preset(tmp_path):
    report = run(of_preset("ml-100k"), tmp_path)
    assert report["rows"]["total"] == report["pairs"]["total"] == 100_000
    assert (report["users"]["total"], report["items"]["total"]) == (943, 1682)
    assert report["hidden"]["validation"]["train_rows_later_share"] == pytest.approx(0.4, abs=0.05)
    items = read_catalogue(tmp_path / "prepared" / "vocabulary").items
    genres = items.features.columns["class:token_seq"]
    first = [genres.categories[code - 1] for code in genres.codes[: genres.offsets[1]]]
    assert first == ["Animation", "Children's", "Comedy"]  # Toy Story, item 1


def test_ml_100k_by_a_cutoff_and_at_random(tmp_path):
    params = of_preset("ml-100k")
    params["split"] |= {"strategy": "cutoff", "validation": 0.1, "test": 0.1}
    report = run(params, tmp_path)
    # Ratings are entered in bursts, and events of one second stay together: at least the share.
    assert 10_000 <= report["rows"]["test"] < 10_100
    assert 10_000 <= report["rows"]["validation"] < 10_100
    assert report["hidden"]["test"]["train_rows_later_share"] == 0
    period = report["period"]
    assert period["train"]["last"] < period["validation"]["first"]
    assert period["validation"]["last"] < period["test"]["first"]
    cold = report["cold"]["test"]["users"]
    assert cold > report["users"]["test"] / 2  # most users of the last weeks are new
    params["split"]["strategy"] = "random"
    report = run(params, tmp_path)
    assert report["cold"]["test"]["users"] == 0
    assert report["hidden"]["test"]["train_rows_later_share"] == pytest.approx(0.5, abs=0.05)


def test_gowalla_as_given(tmp_path):
    params = of_preset("gowalla")
    start = time.perf_counter()
    report = run(params, tmp_path)
    assert time.perf_counter() - start < 60  # about 3 s on two quiet cores
    assert report["rows"] == {
        "train": 719_081, "validation": 91_047, "test": 217_242, "total": 1_027_370,
    }  # fmt: skip
    assert (report["users"]["total"], report["items"]["total"]) == (29_858, 40_981)
    assert report["source"]["order"] == "file"
