"""The whole prepare stage: read, check, sample, split, merge, report, write."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.assessment.clusters import CLUSTERS, write_clusters
from twotower.common.arrays import Int8Array
from twotower.common.errors import DataError
from twotower.common.files import write_json
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.splitting import SplitConfig
from twotower.data.id_text import IdText
from twotower.data.prepared import PARTS, SPLITS, Catalogue, write_catalogue, write_split
from twotower.data.splits import SPLIT_STRATEGIES, UNSPLIT, SplitInput, held_out_items
from twotower.data.time_order import time_order
from twotower.ingest.event_log import EventLog, load_interactions
from twotower.ingest.guard import check_data
from twotower.ingest.problems import Problems
from twotower.ingest.report import data_report
from twotower.ingest.row_check import describe
from twotower.ingest.side_tables import SideTable, build_entities, load_table
from twotower.ingest.titles import TITLES, write_titles


@dataclass(frozen=True)
class Prepared:
    """Data that is ready to be written.

    Attributes:
        splits: by name, all of PARTS.
        catalogue: users and items of the training split and of the side tables.
        tables: the users table, for the clusters, and that of items, for the titles; None: there
            is none.
        report: what metrics/data.json will hold.
    """

    splits: Mapping[str, pd.DataFrame]
    catalogue: Catalogue
    tables: Mapping[str, SideTable | None]
    report: dict[str, Any]


def prepare(
    config: Config, output: Path, metrics: Path, last_run: Path | None = None
) -> dict[str, Any]:
    """Turn the raw files into splits, vocabularies and side features.

    Everything is checked before anything is written, and every file is written whole: after an
    error, earlier outputs are as they were.

    Args:
        config: all parameters; `data`, `guard`, `split`, `seed`, `evaluate.relevant` and
            `evaluate.cluster` are used.
        output: folder for the layout of twotower.data.prepared.
        metrics: file for the report.
        last_run: file of the last run's profile, which the guard rails compare the data with;
            None: no guard rails.

    Returns:
        The report, as written to `metrics`.

    Raises:
        DataError: see `examine`.
        ConfigError: see `examine`.
    """
    prepared = examine(config, output, last_run)
    _write(output, metrics, prepared)
    return prepared.report


def examine(config: Config, output: Path, last_run: Path | None = None) -> Prepared:
    """Read, check and split the raw files as `prepare` does, without writing anything.

    Args:
        config: see `prepare`.
        output: folder that `prepare` writes to, which data.root must not contain.
        last_run: see `prepare`.

    Raises:
        DataError: of all that is wrong with the files, a line each: file, row, column, rule and
            the first invalid rows; or of the guard rails that the data breaks.
        ConfigError: if the strategy is `given` and neither files nor a column are.
    """
    root = _check_root(Path(config.data.root), output)
    problems = Problems()
    tables: dict[str, SideTable | None] = dict.fromkeys(("users", "items"))
    for role, cluster in (("users", config.evaluate.cluster), ("items", None)):
        with problems.collected():
            tables[role] = load_table(root, config.data, role, problems, cluster=cluster)
    frame, log = load_interactions(
        root, config.data, config.split, tables, problems, relevant=config.evaluate.relevant
    )
    users, frame, num_sampled_out = sample_users(
        tables["users"], frame, config.data.sample, config.seed
    )
    _check_enough(frame, log)
    num_rows = len(frame)
    frame = in_time_order(frame)
    splits = _split(frame, config)
    del frame  # of millions of rows, which the splits have copied
    if last_run is not None:
        check_data(splits, last_run, config.guard, log.why_text)
    text = IdText.of(config.data.unicode)
    catalogue = Catalogue(
        users=build_entities(users, splits["train"]["user_id"], text),
        items=build_entities(tables["items"], splits["train"]["item_id"], text),
    )
    num_merged = num_rows - sum(len(rows) for rows in splits.values())
    removed = {"sampled_out_users": num_sampled_out, "merged_rows": num_merged}
    report = data_report(config.data, log, tables, splits, catalogue, removed=removed)
    if config.split.cold_items:
        report["held_out_items"] = _held_out_items(splits, config)
    return Prepared(splits, catalogue, tables, report)


def sample_users(
    users: SideTable | None, frame: pd.DataFrame, share: float, seed: int
) -> tuple[SideTable | None, pd.DataFrame, int]:
    """Keep a share of the users; whether one is kept depends only on its id and the seed.

    Args:
        users: the users table, if there is one.
        frame: interactions, with user_id.
        share: in (0, 1]; 1 keeps all.
        seed: of params.yaml.

    Returns:
        The users table and the interactions of the users that are kept, and the number of users
        that are not.
    """
    if share == 1:
        return users, frame, 0
    ids = pd.Index(
        frame["user_id"].unique() if users is None else users.column.to_numpy(zero_copy_only=False)
    )
    kept = np.array(
        [derive_seed(seed, "sample", user) < share * 2**32 for user in ids.tolist()], dtype=bool
    )
    rows = frame[frame["user_id"].isin(ids[kept])]
    return users and users.filter(kept), rows, int((~kept).sum())


def in_time_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by user id, then time, then their order in the files; times as whole seconds."""
    codes, _ = pd.factorize(frame["user_id"], sort=True)
    order = time_order(codes.astype(np.int64), frame["timestamp"].to_numpy())
    ordered = frame.iloc[order].reset_index(drop=True)
    return ordered.assign(timestamp=np.floor(ordered["timestamp"]).astype(np.int64))


def merge_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per (user, item) pair of a split: the latest, with the sum of the pair's weights.

    It is relevant if any row of the pair is. Rows of different splits are not merged: a held-out
    row must not remove a training row.

    Args:
        frame: in time order, with user_id, item_id, weight and split, and perhaps relevant.
    """
    key = ["split", "user_id", "item_id"]
    pairs = frame.groupby(key, sort=False)
    merged = {"weight": pairs["weight"].transform("sum")}
    if "relevant" in frame:
        merged["relevant"] = pairs["relevant"].transform("any")
    latest = ~frame.duplicated(key, keep="last")
    return frame.assign(**merged)[latest].reset_index(drop=True)


def _check_root(root: Path, output: Path) -> Path:
    if not root.is_dir():
        home = (
            f"; DVC does not know ~, so write {root.expanduser()}" if root.parts[0] == "~" else ""
        )
        msg = f"{root}: no such folder (data.root){home}"
        raise DataError(msg)
    if output.resolve().is_relative_to(root.resolve()):
        msg = f"{root}: data.root must not contain the outputs ({output})"
        raise DataError(msg)
    return root


def _check_enough(frame: pd.DataFrame, log: EventLog) -> None:
    for name in ("user", "item"):
        count = frame[f"{name}_id"].nunique()
        if count < 2:
            msg = (
                f"{', '.join(log.files)}: need at least two users and two items, but the valid "
                f"rows have {count} {name}{'' if count == 1 else 's'} "
                f"(dropped rows: {describe(log.dropped)}; data.sample may leave out more)"
            )
            raise DataError(msg)


def _split(frame: pd.DataFrame, config: Config) -> dict[str, pd.DataFrame]:
    """All of PARTS, of a frame in time order, with repeats merged if that is set.

    Raises:
        DataError: if nothing can be learnt from the training split, or nothing can be held out.
    """
    split = config.split
    events = SplitInput.from_frame(
        frame,
        validation=split.validation,
        test=split.test,
        seed=config.seed,
        together=split.ties == "together",
        fold_in=split.fold_in,
        fold_in_by=split.fold_in_by,
    )
    frame = frame.assign(split=SPLIT_STRATEGIES[split.strategy].label(events))
    if split.cold_items:
        labels = _labels_of_items(frame["item_id"], config)
        frame = frame.assign(split=np.where(labels == UNSPLIT, frame["split"], labels))
    if config.data.repeats == "merge":
        frame = merge_repeats(frame)
    splits = {name: frame[frame["split"] == number] for number, name in enumerate(PARTS)}
    _check_split(splits, split)
    return splits


def _labels_of_items(item_ids: "pd.Series[Any]", config: Config) -> Int8Array:
    """[num_rows] the split that each row's item is held out for, else UNSPLIT."""
    split = config.split
    codes, items = item_ids.factorize()
    labels = held_out_items(
        items.tolist(),
        split.cold_items,
        config.seed,
        validation=split.validation > 0,
        test=split.test > 0,
    )
    of_rows: Int8Array = labels[codes]
    return of_rows


def _held_out_items(
    splits: Mapping[str, pd.DataFrame], config: Config
) -> dict[str, dict[str, int]]:
    """Items that `split.cold_items` holds out whole, and their rows, by split."""
    report = {}
    for number, name in enumerate(SPLITS[1:], start=1):
        items = splits[name]["item_id"]
        held_out = items[_labels_of_items(items, config) == number]
        report[name] = {"items": held_out.nunique(), "rows": len(held_out)}
    return report


def _check_split(splits: Mapping[str, pd.DataFrame], split: SplitConfig) -> None:
    train = splits["train"]
    if train.empty:
        msg = "split: the training split has no valid rows"
        raise DataError(msg)
    if not train["weight"].astype(np.float32).any():
        msg = (
            "data.interactions.columns.weight: every training row has weight 0, so there is "
            "nothing to learn; set another column, or false to give every row weight 1"
        )
        raise DataError(msg)
    for name in ("validation", "test"):
        rows = splits[name]
        if "relevant" in rows and len(rows) and not rows["relevant"].any():
            msg = (
                f"evaluate.relevant: none of the {len(rows):,} rows of the {name} split counts, so "
                "there is nothing to find; ask for less, or choose another split"
            )
            raise DataError(msg)
    if split.ties == "together" and not SPLIT_STRATEGIES[split.strategy].is_given:
        for name in ("test", "validation"):
            if getattr(split, name) and splits[name].empty:
                msg = (
                    f"split.{name}: no rows are left for it, as split.ties: together never parts "
                    "a user's events of one second, and no user has enough different times; "
                    "set it to 0, or choose split.ties: file_order"
                )
                raise DataError(msg)


def _write(output: Path, metrics: Path, prepared: Prepared) -> None:
    """Write everything beside the outputs first, then move each file to its name."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".tmp-") as temporary:
        staging = Path(temporary)
        names = [*(f"{name}.parquet" for name in PARTS), TITLES, CLUSTERS]
        for name in PARTS:
            write_split(staging / f"{name}.parquet", prepared.splits[name])
        users, items = prepared.tables["users"], prepared.tables["items"]
        no_ids = pa.array([], pa.string())
        write_titles(staging / TITLES, items.column if items else no_ids, items and items.titles)
        ids = users.column if users else no_ids
        write_clusters(staging / CLUSTERS, ids, users and users.clusters)
        write_catalogue(output / "vocabulary", prepared.catalogue)
        for name in names:
            (staging / name).replace(output / name)
    write_json(metrics, prepared.report)
