"""A method's grid on validation, and its best setting on test."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.comparison.clock import OBJECTIVE, Point, Recorder
from benchmarks.comparison.datasets import EVALUATE, Dataset, Fold
from benchmarks.comparison.problem import GetScorer, Method, Problem, Setting, StopTraining
from twotower.common.errors import TrainingError
from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.evaluation.evaluate import Evaluation, evaluate
from twotower.evaluation.metrics import metric_label
from twotower.evaluation.ranking import Scorer


@dataclass(frozen=True)
class Run:
    """A setting on validation.

    Attributes:
        setting: of the method's grid.
        points: scores along the way.
        failure: why training ended before its time; empty if it did not.
    """

    setting: Setting
    points: Sequence[Point]
    failure: str = ""


@dataclass(frozen=True)
class Result:
    """All that is known of a method on a data set.

    Attributes:
        method: its name.
        runs: one per setting; none if it was not run.
        missing: why it was not run or not scored; empty if it was.
        setting: chosen on validation.
        point: the best of that setting on validation.
        test: after training on train and validation for as many passes.
        seconds: of that training.
        objective: metric that validation chose by.
    """

    method: str
    runs: Sequence[Run] = ()
    missing: str = ""
    setting: Setting = field(default_factory=dict)
    point: Point | None = None
    test: Evaluation | None = None
    seconds: float | None = None
    objective: str = OBJECTIVE


@dataclass(frozen=True)
class Effort:
    """What every method is given: seconds of training per setting, threads, and a seed."""

    budget: float
    threads: int
    seed: int

    def problem(self, fold: Fold) -> Problem:
        """The fold's rows with these means."""
        return Problem(fold.catalogue, fold.interactions, self.seed, self.threads)


def measure(method: Method, dataset: Dataset, effort: Effort, log: Callable[[str], None]) -> Result:
    """Tune a method on validation and score the best setting on test."""
    problem, objective = effort.problem(dataset.tuning), dataset.objective
    if missing := method.obstacle(problem):
        return Result(method.name, missing=missing, objective=objective)
    warm_up(method, effort)
    runs = []
    for run in tune(method, problem, dataset.tuning, effort.budget, objective):
        runs.append(run)
        log(f"  {describe(run.setting)}: {outcome(run, objective)}")
    scored = [(run, point) for run in runs for point in run.points]
    if not scored:
        missing = f"no setting could be scored: {runs[0].failure}"
        return Result(method.name, runs, missing, objective=objective)
    best, point = max(scored, key=lambda pair: pair[1].metrics[objective])
    began = time.perf_counter()
    try:
        scorer = train(method, effort.problem(dataset.final), best.setting, point.passes)
        seconds = time.perf_counter() - began
        test = evaluate(scorer, dataset.final.target, EVALUATE.ks)
    except (TrainingError, MemoryError) as error:
        reason = f"{type(error).__name__} on train and validation: {error}"
        return Result(method.name, runs, reason, best.setting, point, objective=objective)
    return Result(method.name, runs, "", best.setting, point, test, seconds, objective)


def tune(
    method: Method, problem: Problem, fold: Fold, budget: float, objective: str = OBJECTIVE
) -> Iterator[Run]:
    """Each setting of the grid on validation, for at most `budget` seconds of training."""
    loaded = method.load(problem)
    for setting in method.settings(problem):
        recorder = Recorder(
            lambda scorer: evaluate(scorer, fold.target, EVALUATE.ks).summary(),
            budget,
            objective=objective,
        )
        try:
            recorder.finish(method.fit(problem, loaded, setting, recorder))
        except StopTraining:
            yield Run(setting, recorder.points)
        except (TrainingError, MemoryError) as error:
            yield Run(setting, recorder.points, f"{type(error).__name__}: {error}")
        else:
            yield Run(setting, recorder.points)


def train(method: Method, problem: Problem, setting: Setting, passes: int | None) -> Scorer:
    """The scorer after so many passes; None: of a closed form."""
    reached: list[Scorer] = []

    def until(done: int, scorer: GetScorer) -> None:
        if done == passes:
            reached.append(scorer())
            raise StopTraining

    try:
        return method.fit(problem, method.load(problem), setting, until)
    except StopTraining:
        return reached[0]


def warm_up(method: Method, effort: Effort) -> None:
    """One pass of each setting over made-up rows, so that late imports are not timed."""
    frame = pd.DataFrame({"user_id": np.arange(400) % 40, "item_id": np.arange(400) * 7 % 60})
    frame = frame.assign(timestamp=np.arange(400), weight=np.float32(1))
    users, items = (
        Entities(Vocabulary(pd.Index(np.unique(frame[name]))), Features())
        for name in ("user_id", "item_id")
    )
    catalogue = Catalogue(users, items)
    problem = Problem(catalogue, catalogue.encode(frame), effort.seed, effort.threads)
    for setting in method.settings(problem):
        train(method, problem, setting, passes=1)


def describe(setting: Setting) -> str:
    """A setting in a few words."""
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in setting.items()) or "nothing to set"  # fmt: skip


def outcome(run: Run, objective: str) -> str:
    """How a setting did, in a few words."""
    if not run.points:
        return run.failure
    best = max(run.points, key=lambda point: point.metrics[objective])
    passes = "" if best.passes is None else f"after {best.passes} passes, "
    value = f"{metric_label(objective)} {best.metrics[objective]:.4f}"
    text = f"validation {value} {passes}in {best.seconds:.1f} s"
    return f"{text}; then {run.failure}" if run.failure else text
