"""The split of each row, and repeats merged within a split."""

import numpy as np
import pandas as pd

from twotower.common.arrays import Int8Array
from twotower.common.errors import DataError
from twotower.config import Config
from twotower.config.splitting import SplitConfig
from twotower.data.interactions import pair_keys
from twotower.data.prepared import PARTS, RELEVANT, SPLITS
from twotower.data.split_input import SplitInput
from twotower.data.splits import SPLIT_STRATEGIES, UNSPLIT, held_out_items
from twotower.ingest.events import Events


def split_events(events: Events, config: Config) -> None:
    """Give each row its split, and merge repeats if that is set.

    Raises:
        DataError: if nothing can be learnt from the training split, or nothing can be held out.
    """
    split = config.split
    given = SplitInput(
        users=events.columns["user"],
        user_ids=lambda: events.id_list("user"),
        timestamps=events.timestamps,
        given=events.labels,
        validation=split.validation,
        test=split.test,
        seed=config.seed,
        together=split.ties == "together",
        fold_in=split.fold_in,
        fold_in_by=split.fold_in_by,
    )
    labels = SPLIT_STRATEGIES[split.strategy].label(given)
    if split.cold_items:
        held_out = _labels_of_items(events, config)
        labels = np.where(held_out == UNSPLIT, labels, held_out)
    label_events(events, labels, config)


def label_events(events: Events, labels: Int8Array, config: Config) -> None:
    """Give each row the split that was chosen for it, and merge repeats if that is set.

    Args:
        events: sorted.
        labels: [num_rows] position in PARTS.
        config: sections `data` and `split`.

    Raises:
        DataError: see `split_events`.
    """
    events.columns["split"] = labels
    if config.data.repeats == "merge":
        _merge_repeats(events)
    _check_split(events, config.split)


def held_out_item_counts(events: Events, config: Config) -> dict[str, dict[str, int]]:
    """Items that `split.cold_items` holds out whole, and their rows, by split."""
    labels = _labels_of_items(events, config)
    report = {}
    for number, name in enumerate(SPLITS[1:], start=1):
        items = events.columns["item"][(events.labels == number) & (labels == number)]
        report[name] = {"items": int((np.bincount(items) > 0).sum()), "rows": len(items)}
    return report


def _labels_of_items(events: Events, config: Config) -> Int8Array:
    """[num_rows] the split that each row's item is held out for, else UNSPLIT."""
    split = config.split
    labels = held_out_items(
        events.id_list("item"),
        split.cold_items,
        config.seed,
        validation=split.validation > 0,
        test=split.test > 0,
    )
    of_rows: Int8Array = labels[events.columns["item"]]
    return of_rows


def _merge_repeats(events: Events) -> None:
    """Leave one row per (user, item) pair of a split: the latest, with the sum of its weights.

    It is relevant if any row of the pair is. Rows of different splits are not merged: a held-out
    row must not remove a training row.

    Args:
        events: in time order, with their splits.
    """
    columns = events.columns
    pairs = pair_keys(columns["user"].astype(np.int64), columns["item"], len(events.ids["item"]))
    keys = pd.Series(pairs * len(PARTS) + columns["split"])
    of_pairs = pd.Series(columns["weight"]).groupby(keys, sort=False)
    columns["weight"] = of_pairs.transform("sum").to_numpy()
    if RELEVANT in columns:
        relevant = pd.Series(columns[RELEVANT]).groupby(keys, sort=False)
        columns[RELEVANT] = relevant.transform("any").to_numpy()
    events.keep(~keys.duplicated(keep="last").to_numpy())


def _check_split(events: Events, split: SplitConfig) -> None:
    rows = {name: events.rows_of(name) for name in SPLITS}
    if not len(rows["train"]):
        msg = "split: the training split has no valid rows"
        raise DataError(msg)
    if not events.columns["weight"][rows["train"]].astype(np.float32).any():
        msg = (
            "data.interactions.columns.weight: every training row has weight 0, so there is "
            "nothing to learn; set another column, or false to give every row weight 1"
        )
        raise DataError(msg)
    for name in ("validation", "test"):
        held_out = rows[name]
        relevant = events.columns.get(RELEVANT)
        if relevant is not None and len(held_out) and not relevant[held_out].any():
            msg = (
                f"evaluate.relevant: none of the {len(held_out):,} rows of the {name} split "
                "counts, so there is nothing to find; ask for less, or choose another split"
            )
            raise DataError(msg)
    if split.ties == "together" and not SPLIT_STRATEGIES[split.strategy].is_given:
        for name in ("test", "validation"):
            if getattr(split, name) and not len(rows[name]):
                msg = (
                    f"split.{name}: no rows are left for it, as split.ties: together never parts "
                    "a user's events of one second, and no user has enough different times; "
                    "set it to 0, or choose split.ties: file_order"
                )
                raise DataError(msg)
