"""`twotower.fit`: from data frames to a recommender."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.artifacts import ARTIFACTS, Artifacts, Id, load_artifacts
from twotower.assessment.assess import Assessment
from twotower.common.display import shown
from twotower.common.errors import TwoTowerError
from twotower.common.progress import say, step
from twotower.config import Config
from twotower.data.prepared import PREPARED
from twotower.ingest.titles import TITLES, item_titles
from twotower.notebook.project import fill, own_folder, raw_folder, settings
from twotower.notebook.raw_frames import index_hint
from twotower.notebook.run import run, torch_as_it_was
from twotower.notebook.wording import in_python
from twotower.serving import Recommender

REPORT = "report.html"


class FittedRecommender(Recommender):
    """A recommender that knows how it did on the test split.

    Attributes:
        assessment: all of it, as the files of metrics/ have it.
    """

    def __init__(
        self, artifacts: Artifacts, titles: Mapping[Id, str], assessment: Assessment
    ) -> None:
        super().__init__(artifacts)
        self.titles = titles or None
        self.assessment = assessment

    @property
    def verdict(self) -> str:
        """The conclusion in a sentence; without test scores, why there are none."""
        verdict = self.assessment.verdict
        return str(verdict["sentence" if verdict["scored"] else "reason"])

    @property
    def scores(self) -> pd.DataFrame:
        """The objective on the test split: of the model, then of each baseline from the best on.

        Columns scorer, metric, value, low and high, the ends of 95 % intervals; empty without test
        scores.
        """
        return pd.DataFrame(self.assessment.bars)


def fit(
    interactions: Any,
    *,
    items: Any = None,
    users: Any = None,
    config: Mapping[str, Any] | Config | Path | str | None = None,
    folder: Path | str | None = None,
) -> FittedRecommender:
    """Prepare, search and refit, as `dvc repro` does with files; needs neither DVC nor git.

    Columns are recognised by their usual names, and every rule for files holds; docs/data.md has
    them. What is found is printed on the way, and how the model does on held-out events at the end.

    Args:
        interactions: data frame of one row per event, the earlier first among events of one time;
            its index does not count. Of pandas, or of polars or another library that speaks to
            Arrow; so, too, the next two.
        items: data frame of one row per item; None: nothing is known of them but their ids.
        users: likewise.
        config: what differs from the defaults: sections as in params.yaml, each of whose keys is
            replaced as a whole; or dotted keys, `{"hpo.n_trials": 50}`; or a file of sections, or
            the name of a preset, `"quality"`; or a whole Config. Where files are does not count.
        folder: keeps what the stages write, and the page report.html; another fit goes on where
            this one was interrupted, and makes the same bytes of the same data. None: nothing is
            kept.

    Raises:
        ConfigError: naming every key of `config` that breaks a rule, or if `folder` holds another
            project.
        DataError: naming frame, column, rule and the first rows that break it, counted from 1.
        SearchError: if no trial completed, or the study in `folder` is damaged.
        TrainingError: if training with the best hyperparameters diverges.
    """
    frames = {"interactions": interactions, "users": users, "items": items}
    try:
        return _fit(frames, config, folder)
    except TwoTowerError as error:  # of which the message says all
        raise error.with_traceback(None) from None


def _fit(
    frames: Mapping[str, Any],
    config: Mapping[str, Any] | Config | Path | str | None,
    folder: Path | str | None,
) -> FittedRecommender:
    whole = settings(config)
    with _workplace(folder) as root, shown(), torch_as_it_was():
        raw = root / raw_folder(root)
        try:
            whole = fill(root, frames, whole)
            assessment = run(root, whole, lambda line: say(in_python(line, raw)))
        except TwoTowerError as error:
            error.args = (in_python(str(error), raw) + index_hint(str(error), frames),)
            raise
        model = _load(root, assessment)
        if folder is not None:
            from twotower.report import write_report  # and plotly

            with step("report"):
                write_report(root / REPORT, root)
            say(f"report: {root / REPORT}")
    return model


@contextmanager
def _workplace(folder: Path | str | None) -> Iterator[Path]:
    if folder is not None:
        yield own_folder(Path(folder))
        return
    # Windows may take a moment to let go of a file.
    with tempfile.TemporaryDirectory(prefix="twotower-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


def _load(root: Path, assessment: Assessment) -> FittedRecommender:
    """The model in memory: nothing of it is read from the folder any more."""
    artifacts = load_artifacts(root / ARTIFACTS, mmap=False)
    model = FittedRecommender(artifacts, item_titles(root / PREPARED / TITLES), assessment)
    model.warm_up()
    artifacts.towers  # noqa: B018 - read and cached, with the catalogue
    return model
