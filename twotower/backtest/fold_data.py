"""The data of one fold: what was known at its cut-off, and the period after it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.backtest.periods import Fold, check_times, folds_of
from twotower.common.errors import ConfigError
from twotower.config import Config
from twotower.config.refit import CardConfig
from twotower.config.splitting import SplitConfig
from twotower.data.prepared import Catalogue, read_catalogue, read_parts
from twotower.data.splits import TEST, TRAIN, VALIDATION
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.item_groups import names_group
from twotower.ingest.events import Events
from twotower.ingest.prepare import Loaded, build_catalogue, load_events, write_prepared
from twotower.ingest.side_tables import SideTable
from twotower.ingest.splitting import label_events


def fold_config(config: Config) -> Config:
    """The parameters of every fold: those of the project, but for what a fold settles itself.

    The split is by periods, the model is trained on no test row, searches are kept beside the fold,
    and none ends by the clock, which would make two backtests differ.

    Raises:
        ConfigError: if an objective is of warm or cold items: a fold has no items without rows.
    """
    if grouped := next(filter(names_group, config.hpo.directions), None):
        several = "s" if config.hpo.objectives else ""
        msg = (
            f"hpo.objective{several}: {grouped} is of warm or cold items, which a backtest does "
            "not tell apart: at a cut-off, only items with events are known; choose one of all "
            "items"
        )
        raise ConfigError(msg)
    ours = {"storage": None, "study_name": "two-tower", "timeout": None, "timeout_grace": None}
    final = {"final": "train_validation", "score_test": True, "index": None, "card": CardConfig()}
    return config.model_copy(
        update={
            "hpo": config.hpo.model_copy(update=ours),
            "refit": config.refit.model_copy(update=final),
            "split": SplitConfig(),
        }
    )


def read_events(config: Config, every: int, count: int, output: Path) -> tuple[Loaded, list[Fold]]:
    """The raw files, and the folds that they are cut into.

    Args:
        config: of the project.
        every: length of a period, in seconds.
        count: number of folds.
        output: folder that will be written to.

    Raises:
        DataError: if a file breaks a rule, or the events have no times.
        ConfigError: if the data is too short for so many folds.
    """
    loaded = load_events(config, output)
    times = loaded.events.timestamps
    first, last = int(times.min()), int(times.max())
    check_times(first, last, has_times=loaded.log.times is not None)
    return loaded, folds_of(first, last, every, count)


def write_fold(loaded: Loaded, fold: Fold, config: Config, output: Path) -> None:
    """Write what the prepare stage would have written at the end of the fold's test period.

    No row from the cut-off on is in a vocabulary, a scaling or a title: of the side tables, only
    users and items with an event before the cut-off are kept.

    Args:
        loaded: all events, which stay as they are.
        fold: which of them to keep, and where to cut.
        config: see `fold_config`.
        output: folder for the layout of twotower.data.prepared.

    Raises:
        DataError: if there is nothing to learn from, or nothing to find.
    """
    events = Events(dict(loaded.events.ids), dict(loaded.events.columns))
    events.keep(events.timestamps < fold.end)
    labels = np.full(len(events), TRAIN, np.int8)
    labels[events.timestamps >= fold.validation_start] = VALIDATION
    labels[events.timestamps >= fold.start] = TEST
    label_events(events, labels, config)
    tables = {
        name: table and _of_known(table, events, name.removesuffix("s"))
        for name, table in loaded.kept.items()
    }
    write_prepared(output, events, build_catalogue(events, tables, config), tables)


def _of_known(table: SideTable, events: Events, side: str) -> SideTable:
    """The rows of users, or items, that have an event before the cut-off."""
    known = pa.concat_arrays([events.ids_of(part, side) for part in ("train", "validation")])
    return table.filter(pc.is_in(table.column, value_set=known).to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class FoldData:
    """Prepared data of a fold, read again.

    Attributes:
        prepared: its folder.
        exclude_seen: `evaluate.exclude_seen`.
    """

    prepared: Path
    exclude_seen: bool

    @cached_property
    def parts(self) -> dict[str, pd.DataFrame]:
        """By name, the rows of all of PARTS."""
        return read_parts(self.prepared)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """What the final model is trained on: all before the cut-off."""
        return pd.concat([self.parts["train"], self.parts["validation"]], ignore_index=True)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Users and items of those rows, with the same indices as in refit."""
        searched = read_catalogue(self.prepared / "vocabulary")
        return searched.extend(self.parts["train"], self.parts["validation"])

    @cached_property
    def test(self) -> HeldOut:
        """The test period, as refit scores it."""
        return self._held_out("test", self.catalogue, self.rows)

    def why_not(self) -> str:
        """Why nothing can be searched or scored here; empty if it can."""
        searched = read_catalogue(self.prepared / "vocabulary")
        validation = self._held_out("validation", searched, self.parts["train"])
        for name, held_out in (("validation", validation), ("test", self.test)):
            if not len(held_out.target):
                return (
                    f"nobody of the {name} period has earlier events and something new to find "
                    f"({len(self.parts[name]):,} events)"
                )
        return ""

    def _held_out(self, name: str, catalogue: Catalogue, rows: pd.DataFrame) -> HeldOut:
        history = self.parts[f"{name}_history"]
        return HeldOut.of(
            catalogue, rows, history, self.parts[name], exclude_seen=self.exclude_seen
        )
