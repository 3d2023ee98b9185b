"""`twotower.fit`: from data frames to a recommender."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.common.display import shown
from twotower.common.errors import TwoTowerError
from twotower.common.paths import REPORT
from twotower.common.portable import in_effect, portable_here, why_not
from twotower.common.progress import say, step
from twotower.common.stage import LOADING
from twotower.notebook.script import check_script, hint, stop_if_run_again

if TYPE_CHECKING:
    from twotower.config import Config
    from twotower.notebook.fitted import FittedRecommender


def fit(
    interactions: Any,
    *,
    items: Any = None,
    users: Any = None,
    config: "Mapping[str, Any] | Config | Path | str | None" = None,
    folder: Path | str | None = None,
) -> "FittedRecommender":
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
    stop_if_run_again()
    try:
        with shown():
            return _fit(frames, config, folder)
    except TwoTowerError as error:  # of which the message says all
        raise error.with_traceback(None) from None


def _fit(
    frames: Mapping[str, Any],
    config: "Mapping[str, Any] | Config | Path | str | None",
    folder: Path | str | None,
) -> "FittedRecommender":
    with ExitStack() as stack:
        with step(LOADING):  # here, so that what takes seconds is shown
            from twotower.notebook.session import as_it_was

            stack.enter_context(as_it_was())  # before our own modules change the session
            from twotower.notebook.fitted import load_fitted
            from twotower.notebook.project import fill, raw_folder, settings
            from twotower.notebook.raw_frames import index_hint
            from twotower.notebook.run import run
            from twotower.notebook.wording import in_python
        root = stack.enter_context(_workplace(folder))
        raw = root / raw_folder(root)
        try:
            whole = settings(config)
            check_script(whole.hpo)
            if whole.portable and portable_here() and not in_effect():
                say(f"note: {why_not()}")
            assessment = run(
                root, fill(root, frames, whole), lambda line: say(in_python(line, raw))
            )
        except TwoTowerError as error:
            text = str(error)
            error.args = (in_python(text, raw) + index_hint(text, frames) + hint(text),)
            raise
        model = load_fitted(root, assessment)
        if folder is not None:
            _report(root)
    return model


def _report(root: Path) -> None:
    with step("report"):
        from twotower.report import write_report  # and plotly

        write_report(root / REPORT, root)
    say(f"report: {root / REPORT}")


@contextmanager
def _workplace(folder: Path | str | None) -> Iterator[Path]:
    from twotower.notebook.project import own_folder

    if folder is not None:
        yield own_folder(Path(folder).expanduser())
        return
    # Windows may take a moment to let go of a file.
    with tempfile.TemporaryDirectory(prefix="twotower-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)
