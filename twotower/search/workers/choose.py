"""Starts the workers that params.yaml configures."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib

from twotower.common.errors import ConfigError
from twotower.common.files import named
from twotower.config import Config
from twotower.search.objective import Objective, load_objective
from twotower.search.store.locks import Say
from twotower.search.workers.count import local_count
from twotower.search.workers.epochs import WorkersEpochs
from twotower.search.workers.local import LocalWorkers, can_fork
from twotower.search.workers.workers import SerialWorkers, Workers


@contextmanager
def open_workers(
    config: Config,
    objective: Objective,
    trials: int,
    say: Say,
    folder: Path,
    *,
    epochs: WorkersEpochs | None = None,
) -> Iterator[Workers]:
    """The workers of section `hpo`; they end with the context.

    Args:
        config: `hpo.executor`, `hpo.dask`, `hpo.workers` and `hpo.lookahead` count.
        objective: the workers run it.
        trials: number of trials to run; for 0, no worker is started or waited for.
        say: shows a line to the user.
        folder: for data that local workers share while they run; no other search uses it.
        epochs: shows how far the trials of local workers have come.

    Raises:
        ConfigError: if a package is missing.
        SearchError: if no worker is available.
    """
    if trials == 0:
        yield SerialWorkers(objective)
        return
    if config.hpo.executor == "dask":
        with _dask_workers(config, objective, trials, say) as workers:
            yield workers
        return
    count = local_count(config, objective.counts["num_train_rows"], trials, say)
    if count == 0:
        yield SerialWorkers(objective)
        return
    with _shared(objective, folder) as path:
        forked = objective if can_fork(config.train.threads) else None
        local = LocalWorkers(partial(load_objective, path), count, epochs, forked)
        try:
            yield local
        finally:
            local.stop()


@contextmanager
def _shared(objective: Objective, folder: Path) -> Iterator[Path]:
    """The objective as a file; the next search deletes what a killed one has left."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
    folder.mkdir(parents=True)
    try:
        path = folder / "objective"
        with named(path, path):
            joblib.dump(objective, path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _dask_workers(config: Config, objective: Objective, trials: int, say: Say) -> Iterator[Workers]:
    try:
        from twotower.search.workers.dask_cluster import dask_workers
    except ModuleNotFoundError as error:
        msg = f"hpo.executor: dask needs {error.name}; run pip install 'twotower[dask]'"
        raise ConfigError(msg) from error
    limit = config.hpo.lookahead
    if not config.hpo.dask.address:
        limit = local_count(config, objective.counts["num_train_rows"], trials, say)
    with dask_workers(config, objective, limit, say) as workers:
        yield workers
