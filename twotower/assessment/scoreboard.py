"""The final model and its references on one evaluation set."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twotower.assessment.verdict import MODEL
from twotower.baselines.table import REFERENCES, Choice, TrainingRows, choose
from twotower.common.arrays import Float64Array
from twotower.evaluation.evaluate import Evaluation, evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import random_expectation

DEFAULT = "default"
RANDOM = "random"


@dataclass(frozen=True)
class Task:
    """What is known, what is to be found, and how that is measured.

    Attributes:
        known: training rows of the scorers that are compared.
        target: users and what they are to find.
        objective: the metric that decides.
        ks: cut-offs of the metrics.
    """

    known: TrainingRows
    target: EvaluationSet
    objective: str
    ks: tuple[int, ...]


@dataclass
class Scoreboard:
    """Every scorer's evaluation on one task, in the order in which they were scored.

    Attributes:
        task: what they were scored on.
        evaluations: by name of the scorer; random, which is an expectation, is not among them.
        settings: what validation chose for a reference.
        failures: why a scorer has no evaluation.
        seeds: of the optimized model for each training seed, the first its own.
        num_diverged: further seeds with which the training diverged.
        default_differs: whether the default model is another than the optimized one.
    """

    task: Task
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    settings: dict[str, Choice] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seeds: list[Evaluation] = field(default_factory=list)
    num_diverged: int = 0
    default_differs: bool = True

    def __post_init__(self) -> None:
        self.random = random_expectation(self.task.target, self.task.ks)

    def per_user(self, metric: str) -> dict[str, Float64Array]:
        """[num_users] of one metric by scorer, random included."""
        values = {name: found.per_user[metric] for name, found in self.evaluations.items()}
        return values | {RANDOM: self.random.per_user[metric]}

    def over_seeds(self, metric: str) -> Float64Array | None:
        """[num_users] the optimized model's mean over its training seeds; None if there is one."""
        if len(self.seeds) < 2:
            return None
        mean: Float64Array = np.mean([found.per_user[metric] for found in self.seeds], axis=0)
        return mean

    def all_per_user(self) -> dict[str, dict[str, Float64Array]]:
        """[num_users] by scorer and metric, random included."""
        found = {name: evaluation.per_user for name, evaluation in self.evaluations.items()}
        return found | {RANDOM: self.random.per_user}

    def rivals(self) -> list[str]:
        """What the optimized model is compared with, random included."""
        itself = {MODEL} if self.default_differs else {MODEL, DEFAULT}
        return [name for name in (*self.evaluations, RANDOM) if name not in itself]

    def strongest(self) -> str:
        """The rival with the highest mean of the objective; of equal ones the first."""
        means = {name: float(v.mean()) for name, v in self.per_user(self.task.objective).items()}
        return max(self.rivals(), key=lambda name: means[name])

    def sections(self) -> dict[str, Any]:
        """Mean metrics of every scorer, or why there are none, for metrics/test.json."""
        found: dict[str, Any] = {
            name: evaluation.summary() for name, evaluation in self.evaluations.items()
        }
        for name, choice in self.settings.items():
            if choice.setting:
                found[name]["setting"] = dict(choice.setting)
        failures = {name: {"failure": why} for name, why in self.failures.items()}
        return found | failures | {RANDOM: self.random.summary()}


def score_references(board: Scoreboard, train: TrainingRows, validation: EvaluationSet) -> None:
    """Add every reference that can be fitted, with the setting that validation prefers.

    Args:
        board: gets the evaluations.
        train: what the settings are fitted on to be compared.
        validation: what they are compared on; may be empty.
    """
    task = board.task
    for reference in REFERENCES:
        if why := reference.obstacle(train) or reference.obstacle(task.known):
            board.failures[reference.name] = why
            continue
        choice = choose(reference, train, validation, task.objective, task.ks)
        scorer = reference.scorer(task.known, choice.setting)
        board.settings[reference.name] = choice
        board.evaluations[reference.name] = evaluate(scorer, task.target, task.ks)
