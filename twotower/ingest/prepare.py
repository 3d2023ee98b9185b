"""The whole prepare stage: read, check, sample, split, merge, report, write."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.assessment.clusters import CLUSTERS, write_clusters
from twotower.common.errors import DataError
from twotower.common.files import write_json
from twotower.common.folders import staged
from twotower.common.progress import step, track
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.data.id_text import IdText
from twotower.data.prepared import (
    PARTS,
    ROW_GROUP,
    SEARCHED,
    Catalogue,
    write_catalogue,
    write_row_groups,
)
from twotower.ingest.data_profile import PROFILE, DataProfile, profile, write_last_run
from twotower.ingest.event_log import EventLog, load_interactions
from twotower.ingest.events import SIDES, Events
from twotower.ingest.guard import check_data
from twotower.ingest.problems import Problems
from twotower.ingest.report import data_report
from twotower.ingest.row_check import describe
from twotower.ingest.side_tables import SideTable, build_entities, load_table
from twotower.ingest.snapshot import pinned
from twotower.ingest.splitting import held_out_item_counts, split_events
from twotower.ingest.titles import TITLES, write_titles


@dataclass(frozen=True)
class Loaded:
    """The raw files, read and checked.

    Attributes:
        events: all valid rows of the users of the sample, by user, then by time.
        log: how they were read.
        tables: the users and the items table; None: there is none.
        kept: the same, without users who are not in the sample.
        num_sampled_out: how many those are.
    """

    events: Events
    log: EventLog
    tables: Mapping[str, SideTable | None]
    kept: Mapping[str, SideTable | None]
    num_sampled_out: int


@dataclass(frozen=True)
class Prepared:
    """Data that is ready to be written.

    Attributes:
        events: all rows, in order, each with its split.
        catalogue: users and items of the training split and of the side tables.
        tables: the users table, for the clusters, and that of items, for the titles; None: there
            is none.
        report: what metrics/data.json will hold.
        profile: with which the next run's data will be compared.
    """

    events: Events
    catalogue: Catalogue
    tables: Mapping[str, SideTable | None]
    report: dict[str, Any]
    profile: DataProfile

    @property
    def splits(self) -> dict[str, pd.DataFrame]:
        """By name, all of PARTS; see `Events.frames`."""
        return self.events.frames()


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
    write_prepared(output, prepared.events, prepared.catalogue, prepared.tables, prepared.profile)
    write_json(metrics, prepared.report)
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
    loaded = load_events(config, output)
    events, log, tables = loaded.events, loaded.log, loaded.tables
    num_rows = len(events)
    with step("splitting"):
        split_events(events, config)
    with step("comparing with the last run"):
        new = profile(events, log, loaded.kept)
        changes = check_data(new, last_run, config.guard, log.why_text) if last_run else []
    catalogue = build_catalogue(events, loaded.kept, config)
    removed = {"sampled_out_users": loaded.num_sampled_out, "merged_rows": num_rows - len(events)}
    with step("counting"):
        report = data_report(config.data, log, tables, events, catalogue, removed=removed)
    if config.split.cold_items:
        report["held_out_items"] = held_out_item_counts(events, config)
    if changes:
        report["changes"] = [change.described() for change in changes]
    return Prepared(events, catalogue, tables, report, new)


def load_events(config: Config, output: Path) -> Loaded:
    """Read, check and sort the raw files, and keep the sample of the users.

    Args:
        config: see `prepare`.
        output: folder that will be written to, which data.root must not contain.

    Raises:
        DataError: see `examine`.
        ConfigError: see `examine`.
    """
    config = config.model_copy(update={"data": pinned(config.data)})
    root = _check_root(Path(config.data.root), output)
    problems = Problems()
    tables: dict[str, SideTable | None] = dict.fromkeys(("users", "items"))
    for role, cluster in (("users", config.evaluate.cluster), ("items", None)):
        with problems.collected():
            tables[role] = load_table(root, config.data, role, problems, cluster=cluster)
    events, log = load_interactions(
        root, config.data, config.split, tables, problems, relevant=config.evaluate.relevant
    )
    users, num_sampled_out = sample_users(tables["users"], events, config.data.sample, config.seed)
    _check_enough(events, log)
    with step("sorting"):
        events.sort()
    return Loaded(events, log, tables, tables | {"users": users}, num_sampled_out)


def build_catalogue(
    events: Events, tables: Mapping[str, SideTable | None], config: Config
) -> Catalogue:
    """The users and items that a search knows: those of the training split and of the tables.

    Args:
        events: each with its split.
        tables: "users" and "items", without users who are not in the sample.
        config: section `data`.
    """
    text = IdText.of(config.data.unicode)
    users, items = (
        build_entities(tables[f"{side}s"], events.ids_of("train", side), text) for side in SIDES
    )
    return Catalogue(users, items)


def sample_users(
    users: SideTable | None, events: Events, share: float, seed: int
) -> tuple[SideTable | None, int]:
    """Keep a share of the users; whether one is kept depends only on its id and the seed.

    Args:
        users: the users table, if there is one.
        events: of which only the rows of the users that are kept remain.
        share: in (0, 1]; 1 keeps all.
        seed: of params.yaml.

    Returns:
        The users table of the users that are kept, and the number of users that are not.
    """
    if share == 1:
        return users, 0
    ids = events.ids["user"] if users is None else users.column
    kept = np.array(
        [derive_seed(seed, "sample", user) < share * 2**32 for user in ids.to_pylist()], dtype=bool
    )
    is_kept = pc.is_in(events.ids["user"], value_set=ids.filter(pa.array(kept)))
    events.keep(is_kept.to_numpy(zero_copy_only=False)[events.columns["user"]])
    return users and users.filter(kept), int((~kept).sum())


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


def _check_enough(events: Events, log: EventLog) -> None:
    for name in SIDES:
        count = len(events.ids[name])
        if count < 2:
            msg = (
                f"{', '.join(log.files)}: need at least two users and two items, but the valid "
                f"rows have {count} {name}{'' if count == 1 else 's'} "
                f"(dropped rows: {describe(log.dropped)}; data.sample may leave out more)"
            )
            raise DataError(msg)


def write_prepared(
    output: Path,
    events: Events,
    catalogue: Catalogue,
    tables: Mapping[str, SideTable | None],
    profile: DataProfile | None = None,
) -> None:
    """Write everything beside the outputs first, then move each file to its name.

    Args:
        output: folder for the layout of twotower.data.prepared.
        events: all rows, in order, each with its split.
        catalogue: users and items.
        tables: the users table, for the clusters, and that of items, for the titles; None: there
            is none.
        profile: of the data; None: no run will be compared with it.
    """
    with staged(output, output) as staging:
        names = [*(f"{name}.parquet" for name in PARTS), TITLES, CLUSTERS]
        for name in PARTS:
            _write_part(staging / f"{name}.parquet", events, name)
        users, items = tables["users"], tables["items"]
        no_ids = pa.array([], pa.string())
        write_titles(staging / TITLES, items.column if items else no_ids, items and items.titles)
        ids = users.column if users else no_ids
        write_clusters(staging / CLUSTERS, ids, users and users.clusters)
        if profile is not None:
            write_last_run(staging / PROFILE, profile)
            names.append(PROFILE)
        searched = [staging / f"{name}.parquet" for name in SEARCHED]
        write_catalogue(output / "vocabulary", catalogue, searched)
        for name in names:
            (staging / name).replace(output / name)


def _write_part(path: Path, events: Events, name: str) -> None:
    rows = events.rows_of(name)
    groups = (rows[start : start + ROW_GROUP] for start in range(0, max(len(rows), 1), ROW_GROUP))
    shown = track(groups, f"{path.name}: rows written", total=len(rows), size=len, rate=True)
    write_row_groups(path, events.table(rows[:0]).schema, map(events.table, shown))
