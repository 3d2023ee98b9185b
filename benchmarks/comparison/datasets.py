"""The data sets, split by our own prepare stage."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks.comparison.clock import OBJECTIVE
from twotower.common.errors import DataError
from twotower.config import Config, load_config, parse_config
from twotower.config.training import EvaluateConfig
from twotower.data.id_text import IdText
from twotower.data.interactions import Interactions
from twotower.data.prepared import SPLITS, Catalogue, read_catalogue, read_split
from twotower.data.split_input import SplitInput
from twotower.data.splits import TRAIN, UNSPLIT, random_split
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.ingest import prepare
from twotower.ingest.side_tables import build_entities

EVALUATE = EvaluateConfig(ks=(10, 20))
BY_TIME = {"strategy": "temporal", "validation": 0.1, "test": 0.1}
ADJACENCY: dict[str, Any] = {"interactions": {"format": "adjacency"}}
CARVED = 0.1
"""Share of each user's training rows that is held out where no validation split is given."""
KNOWN: Mapping[str, Mapping[str, Any]] = {
    "gowalla": {
        "data": ADJACENCY,
        "split": {
            "strategy": "given",
            "files": {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"},
        },
    },
    "ml-100k": {
        "data": {
            "separator": "\t",
            "interactions": {
                "file": "ml-100k.inter",
                "columns": {
                    "user": "user_id:token",
                    "item": "item_id:token",
                    "timestamp": "timestamp:float",
                    "event": False,
                    "weight": "rating:float",
                },
            },
            "users": {
                "file": "ml-100k.user",
                "id": "user_id:token",
                "features": {"age:token": "numeric", "gender:token": "categorical"},
            },
            "items": {
                "file": "ml-100k.item",
                "id": "item_id:token",
                "features": {"class:token_seq": {"kind": "multi_valued", "separator": " "}},
            },
        },
        "split": BY_TIME,
    },
    "beauty": {"data": {}, "split": {"strategy": "leave_last_out"}, "objective": "ndcg_at_10"},
    "tienda": {
        "data": {
            "users": {"features": {"city": "categorical"}},
            "items": {"features": {"category": "categorical", "price": "numeric"}},
        },
        "split": BY_TIME,
    },
}


@dataclass(frozen=True)
class Fold:
    """Rows to fit on, and what is to be found with them."""

    catalogue: Catalogue
    interactions: Interactions
    target: EvaluationSet


@dataclass(frozen=True)
class Dataset:
    """A data set in two folds.

    Attributes:
        name: of the folder for its results.
        tuning: train against validation.
        final: train and validation against test.
        objective: metric that validation chooses by.
    """

    name: str
    tuning: Fold
    final: Fold
    objective: str = OBJECTIVE


def load_dataset(name: str, data_root: Path, strategy: str | None, seed: int) -> Dataset:
    """Read, check and split a data set.

    Args:
        name: one of KNOWN, a folder of adjacency lists (train.txt, test.txt, with or without
            valid.txt), any other folder that the prepare stage understands, or a file like
            params.yaml whose sections `data` and `split` tell what it does not see for itself.
        data_root: parent of the folders of KNOWN.
        strategy: replaces `split.strategy`; None: as it is.
        seed: of splits at random.

    Raises:
        DataError: if there is no such data set, it breaks a rule, or a split is empty.
        ConfigError: if the file like params.yaml breaks a rule.
    """
    config = _config(name, data_root, strategy, seed)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "prepared"
        prepare(config, output, Path(folder) / "data.json")
        splits = {split: read_split(output / f"{split}.parquet") for split in SPLITS}
        catalogue = read_catalogue(output / "vocabulary")
    if splits["validation"].empty:
        splits, catalogue = _carve(splits, seed)
    known = pd.concat([splits["train"], splits["validation"]], ignore_index=True)
    return Dataset(
        name=Path(name).stem,
        tuning=_fold(catalogue, splits["train"], splits["validation"], "validation"),
        final=_fold(catalogue.extend(known), known, splits["test"], "test"),
        objective=KNOWN.get(name, {}).get("objective", OBJECTIVE),
    )


def _config(name: str, data_root: Path, strategy: str | None, seed: int) -> Config:
    raw = _params(name, data_root)
    if strategy is not None:
        raw["split"] = {**BY_TIME, **raw["split"], "strategy": strategy}
    return parse_config({"seed": seed, **raw}, source=name)


def _params(name: str, data_root: Path) -> dict[str, Any]:
    path = Path(name)
    if name in KNOWN:
        known = KNOWN[name]
        return {"data": {"root": str(data_root / name), **known["data"]}, "split": known["split"]}
    if path.suffix in (".yaml", ".yml") and path.is_file():
        config = load_config(path).model_dump()
        return {"data": config["data"], "split": config["split"]}
    if (path / "train.txt").is_file() and (path / "test.txt").is_file():
        valid = "valid.txt" if (path / "valid.txt").is_file() else None
        files = {"train": "train.txt", "validation": valid, "test": "test.txt"}
        return {
            "data": {"root": name, **ADJACENCY},
            "split": {"strategy": "given", "files": files},
        }
    if path.is_dir():
        return {"data": {"root": name}, "split": BY_TIME}
    known_names = ", ".join(KNOWN)
    msg = f"{name}: no data set ({known_names}), no folder and no file like params.yaml"
    raise DataError(msg)


def _carve(
    splits: Mapping[str, pd.DataFrame], seed: int
) -> tuple[dict[str, pd.DataFrame], Catalogue]:
    """Take a validation split from the training rows, and know only what is left there."""
    train = splits["train"]
    labels = random_split(
        SplitInput.from_frame(train.assign(split=UNSPLIT), validation=CARVED, test=0, seed=seed)
    )
    kept, carved = train[labels == TRAIN], train[labels != TRAIN]
    catalogue = Catalogue(
        *(
            build_entities(None, pa.array(kept[ids].drop_duplicates().sort_values()), IdText())
            for ids in ("user_id", "item_id")
        )
    )
    return {"train": kept, "validation": carved, "test": splits["test"]}, catalogue


def _fold(catalogue: Catalogue, history: pd.DataFrame, held_out: pd.DataFrame, name: str) -> Fold:
    target = evaluation_set(catalogue, history, held_out, exclude_seen=EVALUATE.exclude_seen)
    if not len(target):
        msg = f"the {name} split has no user with something new to find; see split.{name}"
        raise DataError(msg)
    return Fold(catalogue, catalogue.encode(history), target)
