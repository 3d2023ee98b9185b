"""What the page is made of: the outputs of the stages, read and not changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.artifacts import ARTIFACTS, Id
from twotower.assessment.looks import num_looks
from twotower.assessment.per_user import PER_USER, read_per_user
from twotower.backtest import BACKTEST
from twotower.common.errors import DataError
from twotower.common.files import parse_json
from twotower.common.git import git
from twotower.common.paths import LOCK, PARAMS
from twotower.config import Config, load_config
from twotower.data.prepared import PREPARED, read_parts
from twotower.ingest.titles import TITLES, item_titles
from twotower.plots.drawn_search import DrawnSearch, read_search
from twotower.search.store.snapshot import read_snapshot
from twotower.search.trial import Trial
from twotower.serving import Recommender

RESULTS = "hpo_results.json"
SNAPSHOT = "hpo_study.db"
METRICS = {
    "data": "prepare",
    "intervals": "refit",
    "item_groups": "refit",
    "slices": "refit",
    "test": "refit",
    "verdict": "refit",
}
"""The files of metrics/ that are read, and the stage that writes each."""


@dataclass(frozen=True)
class Sources:
    """A finished pipeline.

    Attributes:
        root: the repository.
        config: params.yaml.
        results: content of hpo_results.json.
        search: the same, ready to be drawn.
        trials: of the study, by number, with what each epoch measured.
        metrics: by name, the content of the files of metrics/.
        splits: by name, rows as the prepare stage wrote them, and what new users are known by.
        titles: of the items that have one, by id.
        model: the final model.
        looks: how often its test rows have been looked at.
        backtest: content of backtest.json; None: no backtest has been run.
    """

    root: Path
    config: Config
    results: Mapping[str, Any]
    search: DrawnSearch
    trials: list[Trial]
    metrics: Mapping[str, Any]
    splits: Mapping[str, pd.DataFrame]
    titles: Mapping[Id, str]
    model: Recommender
    looks: int
    backtest: Mapping[str, Any] | None

    @property
    def is_scored(self) -> bool:
        """Whether the model was scored on the test split."""
        return bool(self.metrics["verdict"]["scored"])

    @property
    def why_unscored(self) -> str:
        """Why there are no test scores; empty if there are."""
        return "" if self.is_scored else f"No test scores: {self.metrics['verdict']['reason']}."

    @property
    def is_lock_committed(self) -> bool:
        """Whether the commit has the lock file as it is here, by which dvc pull finds results."""
        kept = git(self.root, "ls-tree", "HEAD", "--", str(LOCK))
        return bool(kept) and git(self.root, "status", "--porcelain", "--", str(LOCK)) == ""

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows of all splits; `split` says of which, those folded in with what is to be found."""
        parts = {name: name.removesuffix("_history") for name in self.splits}
        return pd.concat([rows.assign(split=parts[name]) for name, rows in self.splits.items()])


def read_sources(root: Path = Path(), search: DrawnSearch | None = None) -> Sources:
    """Read the outputs of all stages in a repository.

    Args:
        root: the repository.
        search: what hpo_results.json says, if it has been read already.

    Raises:
        ConfigError: if params.yaml is not valid.
        DataError: if a file is missing or damaged.
        SearchError: if the study is damaged.
        ArtifactError: if the model is missing, damaged or of another format.
    """
    prepared = root / PREPARED
    results = _read_json(root / RESULTS, "hpo")
    metrics = {
        name: _read_json(root / "metrics" / f"{name}.json", stage)
        for name, stage in METRICS.items()
    }
    return Sources(
        root=root,
        config=load_config(root / PARAMS),
        results=results,
        search=search or read_search(root / RESULTS),
        trials=read_snapshot(root / SNAPSHOT)[1],
        metrics=metrics,
        splits=read_parts(prepared),
        titles=item_titles(prepared / TITLES),
        model=Recommender.load(root / ARTIFACTS),
        looks=num_looks(root, metrics["verdict"], read_per_user(root / PER_USER)),
        backtest=_backtest(root / BACKTEST),
    )


class _Keys(dict[str, Any]):
    """An object of a JSON file, which says what is wrong with the file if it lacks a key."""

    def __init__(self, content: Mapping[str, Any], damaged: Callable[[object], DataError]) -> None:
        super().__init__(content)
        self._damaged = damaged

    def __missing__(self, key: str) -> Any:
        raise self._damaged(f"it has no {key!r}")


def _read_json(path: Path, stage: str) -> _Keys:
    def damaged(reason: object) -> DataError:
        again = f"run dvc repro -f -s {stage}"
        return DataError(f"{path}: not a file of the {stage} stage ({reason}); {again}")

    try:
        text = path.read_text(encoding="utf-8")
        content = parse_json(text, object_hook=lambda found: _Keys(found, damaged))
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro, or dvc pull, first"
        raise DataError(msg) from None
    except (OSError, ValueError) as error:
        raise damaged(error) from None
    if not isinstance(content, _Keys):
        raise damaged("it holds no object")
    return content


def _backtest(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    from twotower.backtest.outputs import read_backtest  # imports torch

    return read_backtest(path)
