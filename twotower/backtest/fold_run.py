"""Search and refit of one fold, kept so that no run does them again.

    .hpo/backtest/<key>/prepared/      the fold's data
    .hpo/backtest/<key>/.hpo/          its live study, until the fold is done: a search resumes
    .hpo/backtest/<key>/model/         the final model, and below metrics/ its assessment
    .hpo/backtest/<key>/fold.json      what there is to say of it; written last
    .hpo/backtest/<key>/others/        scores of other models on the same users

The key is a digest of all that the files depend on: the fold's data, parameters, code, libraries
and CPU or GPU. Folders of other keys are left from other data or settings; all may be deleted.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import twotower
from twotower.artifacts import Artifacts, load_artifacts
from twotower.assessment.assess import Assessment
from twotower.assessment.per_user import PerUser, read_per_user
from twotower.backtest.fold_data import FoldData, write_fold
from twotower.backtest.periods import Fold
from twotower.common.errors import DataError, TrainingError
from twotower.common.files import (
    check_seal,
    json_text,
    read_json,
    sealed,
    sha256_file,
    sha256_text,
    write_json,
)
from twotower.common.folders import staged
from twotower.common.paths import decompositions_folder, live_folder
from twotower.common.progress import step
from twotower.config import Config
from twotower.ingest.prepare import Loaded
from twotower.refit import RefitOutputs, num_parts, refit
from twotower.search.console import SearchConsole
from twotower.search.front import Goals, LimitsError
from twotower.search.identity import (
    OBJECTIVE_VERSION,
    SEARCH_VERSION,
    provenance,
    python_files,
)
from twotower.search.outputs import SearchOutputs
from twotower.search.run_search import run_search

FORMAT_VERSION = 1
"""Of fold.json and what is beside it."""
CODE = (
    *("artifacts", "assessment", "baselines", "refit", "search"),
    *("backtest/fold_data.py", "backtest/fold_run.py", "backtest/others.py"),
)
"""The code that a fold's results depend on besides that of a trial, which is in the provenance."""
ELSEWHERE = {"dask", "executor", "on_drift", "storage", "study_name", "timeout", "timeout_grace",
             "tries", "workers"}  # fmt: skip
"""Keys of section `hpo` that change no result of a finished search."""


@dataclass(frozen=True)
class FoldRun:
    """A fold that has been searched and refitted, or the reason why it was not.

    Attributes:
        fold: its period.
        folder: what is kept of it; None without data to keep.
        content: of fold.json: `reason`, empty if all went well, and if so `best_params`, `rows`
            (of the splits), `counts` (of what is evaluated) and `verdict`.
    """

    fold: Fold
    folder: Path | None
    content: Mapping[str, Any]

    @property
    def reason(self) -> str:
        """Why there is no model; empty if there is one."""
        return str(self.content["reason"])

    @property
    def kept(self) -> Path:
        """The folder of a fold that has one."""
        if self.folder is None:
            msg = f"fold {self.fold.number} has no folder"
            raise ValueError(msg)
        return self.folder

    @cached_property
    def per_user(self) -> PerUser:
        """The metrics of every test user, by scorer."""
        return read_per_user(self.kept / "metrics" / "per_user.parquet")

    @cached_property
    def model(self) -> Artifacts:
        """The final model, from its folder."""
        return load_artifacts(self.kept / "model")


class QuietConsole(SearchConsole):
    """Shows the bar of a search, and none of its lines: a backtest has many searches."""

    def say(self, line: str) -> None:
        """Say nothing."""


def run_fold(loaded: Loaded, fold: Fold, config: Config, cache: Path) -> FoldRun:
    """Search and refit a fold, unless that has been done.

    Args:
        loaded: all events.
        fold: which one.
        config: see `fold_config`.
        cache: folder of all folds.

    Raises:
        SearchError: if no trial of the search completes.
        ConfigError: if a library is missing that the parameters ask for.
    """
    with staged(cache, cache) as staging:
        try:
            write_fold(loaded, fold, config, staging / "prepared")
        except DataError as error:  # nothing to learn from, or nothing to find
            return FoldRun(fold, None, {"reason": str(error)})
        folder = cache / fold_key(staging / "prepared", config)
        if not (folder / "prepared").exists():
            folder.mkdir(parents=True, exist_ok=True)
            (staging / "prepared").replace(folder / "prepared")
    content = _read(folder / "fold.json")
    if content is None:
        content = sealed(_compute(folder, config))
        write_json(folder / "fold.json", content)
    shutil.rmtree(live_folder(folder), ignore_errors=True)  # large, and of no more use
    return FoldRun(fold, folder, content)


def fold_key(prepared: Path, config: Config) -> str:
    """Digest of all that the results of a fold depend on.

    Args:
        prepared: folder of its data.
        config: see `fold_config`.
    """
    files = sorted(path for path in prepared.rglob("*") if path.is_file())
    sections = {"evaluate", "hpo", "model", "portable", "refit", "seed", "train"}
    parameters = config.model_dump(mode="json", include=sections)
    values = {
        "code": _code(),
        "data": {path.relative_to(prepared).as_posix(): sha256_file(path) for path in files},
        "parameters": parameters
        | {"hpo": {k: v for k, v in parameters["hpo"].items() if k not in ELSEWHERE}},
        "provenance": provenance(config.hpo.sampler.type, config.train.device).values,
        "versions": [FORMAT_VERSION, OBJECTIVE_VERSION, SEARCH_VERSION],
    }
    return sha256_text(json_text(values))[:16]


@cache
def _code() -> dict[str, str]:
    """Digests of the files of CODE, read once: they are of the code in memory."""
    package = Path(twotower.__file__).parent
    return {name: sha256_file(package / name) for name in python_files(package, CODE)}


def _read(path: Path) -> dict[str, Any] | None:
    """Content of a file with a seal; None if there is none that is whole."""
    try:
        content = dict(read_json(path))
        check_seal(content)
    except (OSError, ValueError, TypeError):
        return None
    return content


def _compute(folder: Path, config: Config) -> dict[str, Any]:
    """Content of fold.json; the files that it is about are written before."""
    data = FoldData(folder / "prepared", config.evaluate.exclude_seen)
    if reason := data.why_not():
        return {"reason": reason}
    outputs = SearchOutputs(
        folder / "hpo_study.db",
        folder / "hpo_results.json",
        folder / "metrics" / "hpo_trials.csv",
        folder / "metrics" / "validation.json",
    )
    console = QuietConsole(Goals.of(config.hpo))
    nothing = folder / "warm_start.json"  # the project's knows of trials on later events
    try:
        results = run_search(config, folder, console, data.prepared, outputs, warm_start=nothing)
    except LimitsError as error:
        return {"reason": str(error).partition(";")[0]}
    finally:
        console.close()
    try:
        assessment = _refit(folder, config, results)
    except TrainingError as error:
        return {"reason": f"the final model: {error}"}
    rows = {name: len(data.parts[name]) for name in ("train", "validation", "test")}
    return {
        "best_params": results["best_params"],
        "counts": assessment.counts,
        "reason": "",
        "rows": rows,
        "verdict": assessment.verdict,
    }


def _refit(folder: Path, config: Config, results: Mapping[str, Any]) -> Assessment:
    outputs = RefitOutputs(folder / "model", folder / "metrics" / "test.json")
    with step("refit", num_parts(config)):
        return refit(config, results, folder / "prepared", outputs, decompositions_folder(folder))
