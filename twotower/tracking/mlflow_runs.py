"""A study in MLflow: one run for the study, a nested run for each trial; errors are raised."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.common.files import sha256_text
from twotower.search.trial import Trial
from twotower.tracking.ending import Ending
from twotower.tracking.entities import (
    MAX_METRICS,
    MAX_PARAM,
    MAX_PARAMS,
    MAX_TAG,
    UNKNOWN_TIME,
    best_so_far,
    datasets,
    metrics,
    params,
    tags,
    trial_metrics,
)
from twotower.tracking.held_out_scores import HeldOutScores
from twotower.tracking.mlflow_store import open_experiment, run_address
from twotower.tracking.tracked_study import USER_TAG, TrackedStudy
from twotower.tracking.uploads import self_contained

if TYPE_CHECKING:
    from mlflow.entities import Run

STUDY_TAG = "twotower.search"
TRIAL_TAG = "twotower.trial"
STATE_TAG = "twotower.state"
FAILURE_TAG = "twotower.failure"
BEST_TAG = "twotower.best"
VERDICT_TAG = "twotower.verdict"
DESCRIPTION_TAG, SUMMARY_TAG = "mlflow.note.content", "twotower.summary"
"""What MLflow shows as the description, and the digest of the one that was written here."""
PARENT_TAG = "mlflow.parentRunId"
COMMIT_TAG, DIRTY_TAG = "mlflow.source.git.commit", "twotower.git.dirty"


class StudyRun:
    """The run of a study, created or found by the study's key; trials are found by number.

    MLflow has no unique names: if a response gets lost, its request may be sent again, and then
    there are two runs. Whoever opens the study next keeps one of each and deletes the others.

    Parameters in MLflow never change. Where a search that has grown finds other hyperparameters
    than before, its run is made anew, and the earlier one deleted.

    Attributes:
        logged: numbers of the trials that are in MLflow, complete.

    Raises:
        Exception: from here and every method, whatever mlflow, its database or the network raises.
    """

    def __init__(self, study: TrackedStudy, root: Path) -> None:
        self.logged: set[int] = set()
        self._study = study
        self._client, self._experiment = open_experiment(study.store, root)
        self._trial_ids: dict[int, str] = {}
        self._best: set[int] = set()
        self._drawn = 0
        runs = sorted(self._runs(), key=_age)
        self._open([run for run in runs if TRIAL_TAG not in run.data.tags])
        self._describe()
        trials = [run for run in runs if TRIAL_TAG in run.data.tags]
        for run in sorted(trials, key=_is_running):  # complete ones first
            self._adopt(run)

    @property
    def address(self) -> str:
        """Where MLflow's pages show the run."""
        return run_address(self._study.store, self._experiment, self._id)

    def publish(self, trials: Sequence[Trial], ending: Ending | None = None) -> None:
        """Log the trials that MLflow lacks, then the ending.

        Args:
            trials: finished trials of the study.
            ending: None if the search goes on. One without results changes nothing unless the run
                is shown as running.
        """
        for trial in trials:
            if trial.number not in self.logged:
                self._log_trial(trial)
        if ending is not None and ending.params:
            self._log_best(ending)
        self._draw(trials)
        if ending is None or (ending.status != "FINISHED" and self._status != "RUNNING"):
            return
        last = max((trial.finished for trial in trials), default=0) or UNKNOWN_TIME
        self._client.log_batch(self._id, metrics(ending.metrics, last))
        if ending.reason:
            self._client.set_tag(self._id, FAILURE_TAG, ending.reason[:MAX_TAG])
        self.upload(ending.artifacts)
        self._summarise()
        self._client.set_terminated(self._id, ending.status)

    def show_running(self) -> None:
        """Show that the search is running."""
        self._client.update_run(self._id, status="RUNNING")
        self._status = "RUNNING"

    def upload(self, artifacts: Sequence[Path], place: str | None = None) -> None:
        """Upload files, and folders under their names; existing artifacts are replaced.

        Args:
            artifacts: pages of folders get the scripts that lie beside them.
            place: folder of the run that files go to; None: they go beside all others.
        """
        for path in artifacts:
            with self_contained(path) if path.is_dir() else nullcontext(path) as ready:
                if ready.is_dir():
                    self._client.log_artifacts(self._id, str(ready), path.name)
                else:
                    self._client.log_artifact(self._id, str(ready), place)

    def add_scores(self, scores: HeldOutScores) -> None:
        """Log what the test split says of the best hyperparameters; what is logged stays."""
        logged = self._client.get_run(self._id).data.metrics
        new = {name: value for name, value in scores.metrics.items() if logged.get(name) != value}
        self._client.log_batch(self._id, metrics(new, round(time.time() * 1000)))
        self._client.set_tag(self._id, VERDICT_TAG, scores.verdict[:MAX_TAG])
        self.upload(scores.files, "test")
        self._summarise()

    def _runs(self) -> Iterator["Run"]:
        page, query = None, f"tags.`{STUDY_TAG}` = '{self._study.key}'"
        while True:
            runs = self._client.search_runs([self._experiment], query, page_token=page)
            yield from runs
            page = runs.token
            if not page:
                return

    def _open(self, existing: list["Run"]) -> None:
        for duplicate in existing[1:]:
            self._client.delete_run(duplicate.info.run_id)
        if existing:
            self._use(existing[0])
        else:
            named = self._study.tags.keys() & {USER_TAG}
            own = {STUDY_TAG: self._study.key} | {tag: self._study.tags[tag] for tag in named}
            name = self._study.name
            self._use(self._client.create_run(self._experiment, tags=own, run_name=name))

    def _use(self, run: "Run") -> None:
        self._id, self._status = str(run.info.run_id), str(run.info.status)
        self._params = dict(run.data.params)
        # Code and user stay those of the search that created the run.
        self._kept_tags = {COMMIT_TAG, DIRTY_TAG, USER_TAG} & run.data.tags.keys()

    def _describe(self) -> None:
        """Log what identifies the study, its data and its code."""
        own = {k: v for k, v in self._study.tags.items() if k not in self._kept_tags}
        self._client.log_batch(self._id, tags=tags(own))
        self._log_params(self._study.params)
        if self._study.digests:
            self._client.log_inputs(self._id, datasets(self._study))

    def _log_params(self, values: Mapping[str, object]) -> None:
        listed = params(values)
        for start in range(0, len(listed), MAX_PARAMS):
            self._client.log_batch(self._id, params=listed[start : start + MAX_PARAMS])

    def _log_best(self, ending: Ending) -> None:
        """Log the hyperparameters that the search has found, and mark the trial."""
        best = {name: str(value)[:MAX_PARAM] for name, value in ending.params.items()}
        best = {**self._study.defaults, **best}
        if any(self._params.get(name, value) != value for name, value in best.items()):
            self._renew()
        self._log_params(best)
        for number in self._best - {ending.best}:
            self._client.delete_tag(self._trial_ids[number], BEST_TAG)
        if ending.best in self._trial_ids:
            self._client.set_tag(self._trial_ids[ending.best], BEST_TAG, "true")
            self._best = {ending.best}

    def _summarise(self) -> None:
        """Describe the best trial and the verdict, unless somebody has described the run."""
        data = self._client.get_run(self._id).data
        described = data.tags.get(DESCRIPTION_TAG)
        if described and sha256_text(described) != data.tags.get(SUMMARY_TAG):
            return
        verdict = data.tags.get(VERDICT_TAG)
        parts = [self._best_of(data.metrics), verdict and f"Test split: {verdict}."]
        text = "\n\n".join(filter(None, parts))[:MAX_TAG]
        if not text:
            return
        written = {DESCRIPTION_TAG: text, SUMMARY_TAG: sha256_text(text)}
        self._client.log_batch(self._id, tags=tags(written))

    def _best_of(self, logged: Mapping[str, float]) -> str:
        """The best trial in a sentence; empty while there is none."""
        trial = self._trial_ids.get(int(logged.get("best_trial", -1)))
        if trial is None:
            return ""
        chosen = self._client.get_run(trial)
        found = ", ".join(f"{name} {value}" for name, value in chosen.data.params.items())
        further = [name for name in self._study.further_objectives if name in logged]
        pairs = [(self._study.objective, "best_value"), *((name, name) for name in further)]
        values = ", ".join(f"{name} {logged[key]:.4f}" for name, key in pairs)
        best = "Chosen from the Pareto front" if further else "Best"
        return f"{best}: {chosen.info.run_name}, {values} on the validation split, with {found}."

    def _renew(self) -> None:
        """Make the run anew: name, tags, notes and trials stay."""
        old = self._client.get_run(self._id)
        kept = {k: v for k, v in old.data.tags.items() if k not in (VERDICT_TAG, FAILURE_TAG)}
        started = old.info.start_time
        self._use(self._client.create_run(self._experiment, started, kept, old.info.run_name))
        self._describe()
        self._drawn = 0
        for run_id in self._trial_ids.values():
            self._client.set_tag(run_id, PARENT_TAG, self._id)
        self._client.delete_run(old.info.run_id)

    def _draw(self, trials: Sequence[Trial]) -> None:
        """Log the best value so far of each trial, as far as it is known; what is there stays."""
        points = list(best_so_far(trials))
        new = [point for point in points if point.step >= self._drawn]
        for start in range(0, len(new), MAX_METRICS):
            self._client.log_batch(self._id, new[start : start + MAX_METRICS])
        if points:
            self._drawn = points[-1].step + 1

    def _adopt(self, run: "Run") -> None:
        """Remember the run of a trial; delete it if the trial has one already."""
        number, run_id = int(run.data.tags[TRIAL_TAG]), str(run.info.run_id)
        if number in self._trial_ids:
            self._client.delete_run(run_id)
            return
        self._trial_ids[number] = run_id
        if BEST_TAG in run.data.tags:
            self._best.add(number)
        if run.data.tags.get(PARENT_TAG) != self._id:
            self._client.set_tag(run_id, PARENT_TAG, self._id)
        if not _is_running(run):
            self.logged.add(number)

    def _log_trial(self, trial: Trial) -> None:
        run_id = self._trial_ids.get(trial.number) or self._create(trial)
        self._trial_ids[trial.number] = run_id
        own, found = params(trial.params), trial_metrics(trial, self._study.objective)
        first = MAX_METRICS - len(own)
        self._client.log_batch(run_id, found[:first], own)
        for start in range(first, len(found), MAX_METRICS):
            self._client.log_batch(run_id, found[start : start + MAX_METRICS])
        status = "FAILED" if trial.state == "FAIL" else "FINISHED"
        self._client.set_terminated(run_id, status, trial.finished or UNKNOWN_TIME)
        self.logged.add(trial.number)

    def _create(self, trial: Trial) -> str:
        own = {
            STUDY_TAG: self._study.key,
            TRIAL_TAG: str(trial.number),
            STATE_TAG: trial.state,
            PARENT_TAG: self._id,
        }
        if trial.failure is not None:
            own[FAILURE_TAG] = trial.failure[:MAX_TAG]
        for tag in {COMMIT_TAG, USER_TAG} & self._study.tags.keys():
            own[tag] = self._study.tags[tag]
        started, name = trial.started or UNKNOWN_TIME, f"trial {trial.number}"
        run = self._client.create_run(self._experiment, started, own, name)
        return str(run.info.run_id)


def _age(run: "Run") -> tuple[int, str]:
    return int(run.info.start_time), str(run.info.run_id)


def _is_running(run: "Run") -> bool:
    return bool(run.info.status == "RUNNING")
