"""The final model and every baseline, evaluated on the same users."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import joblib
import numpy as np

from twotower.baselines.baseline import Baseline, Setting, choose_setting, wanted_baselines
from twotower.baselines.plan import SAMPLE_USERS, Plan, TrainingData, sampled
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.progress import part
from twotower.common.scorers import DEFAULT, MODEL, RANDOM
from twotower.config.refit import RefitConfig
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import Evaluation, evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import random_expectation
from twotower.evaluation.ranking import Scorer

MOST_THREADS = 8
"""That rank users at once, each with a block of scores in memory."""
LONG = 30.0
"""Seconds of all baselines together above which it is said what each took."""


@dataclass
class Scoreboard:
    """The evaluation of each scorer, in the order in which they were added.

    Attributes:
        training: what the scorers are trained on: train + validation.
        splits: rows of each split, encoded like `training`; -1 for ids that it lacks.
        target: the test users and their relevant items.
        folded_in: what the test users are scored by, if they are not trained on; None: they have
            training rows.
        objective: the metric by which scorers are compared.
        ks: cut-offs of the metrics.
        evaluations: by name of the scorer, without random, which is an expectation.
        settings: the setting of each baseline.
        sample_users: users among whom a baseline's setting was chosen, if not among all.
        failures: why a scorer was not evaluated.
        seeds: evaluations of the optimized model for each training seed, its own first.
        num_diverged: further training seeds with which the training diverged.
        default_differs: whether the default model has other hyperparameters than the optimized one.
        groups: the same scorers on warm and on cold items alone; empty where those are not told
            apart.
        user_clusters: the cluster of each user that `target.users` can name; None: each is alone.
    """

    training: TrainingData
    splits: Mapping[str, Interactions]
    target: EvaluationSet
    objective: str
    ks: tuple[int, ...]
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)
    sample_users: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seeds: list[Evaluation] = field(default_factory=list)
    num_diverged: int = 0
    default_differs: bool = True
    folded_in: TrainingData | None = None
    groups: "Mapping[str, Scoreboard]" = field(default_factory=dict)
    user_clusters: Int64Array | None = None

    def __post_init__(self) -> None:
        self.random = random_expectation(self.target, self.ks)

    @property
    def clusters(self) -> Int64Array | None:
        """[num_users] the cluster of each test user; None: each is alone."""
        return None if self.user_clusters is None else self.user_clusters[self.target.users]

    @property
    def known(self) -> TrainingData:
        """Rows by which the test users are scored."""
        return self.folded_in or self.training

    def of_group(self, target: EvaluationSet) -> "Scoreboard":
        """An empty board of the same scorers on some of the items; it shares settings, failures."""
        return replace(self, target=target, evaluations={}, seeds=[], groups={})

    def evaluate(self, scorer: Scorer) -> Evaluation:
        """Metrics of a scorer on the test users; they are not added to the board."""
        return evaluate(scorer, self.target, self.ks, threads=min(MOST_THREADS, joblib.cpu_count()))

    def add(self, name: str, scorer: Scorer) -> None:
        """Evaluate a scorer, on every group of items too."""
        for board in self.boards:
            board.evaluations[name] = board.evaluate(scorer)

    def add_seed(self, scorer: Scorer) -> None:
        """Evaluate the optimized model of a further training seed likewise."""
        for board in self.boards:
            board.seeds.append(board.evaluate(scorer))

    @property
    def boards(self) -> "list[Scoreboard]":
        """This one, and those of its groups."""
        return [self, *self.groups.values()]

    def per_user(self) -> dict[str, dict[str, Float64Array]]:
        """[num_users] values by scorer and metric, random included."""
        values = {name: evaluation.per_user for name, evaluation in self.evaluations.items()}
        return values | {RANDOM: self.random.per_user}

    def objective_per_user(self) -> dict[str, Float64Array]:
        """[num_users] values of the objective by scorer, random included."""
        return {name: values[self.objective] for name, values in self.per_user().items()}

    def mean_over_seeds(self) -> Float64Array | None:
        """[num_users] the optimized model's objective, averaged over training seeds.

        None if there is one seed only.
        """
        if len(self.seeds) < 2:
            return None
        mean: Float64Array = np.mean([seed.per_user[self.objective] for seed in self.seeds], axis=0)
        return mean

    def rivals(self) -> list[str]:
        """The scorers that the optimized model is compared with, random included."""
        itself = {MODEL} if self.default_differs else {MODEL, DEFAULT}
        return [name for name in (*self.evaluations, RANDOM) if name not in itself]

    def strongest(self) -> str:
        """The rival with the highest mean of the objective; of equal ones the first."""
        means = {name: float(v.mean()) for name, v in self.objective_per_user().items()}
        return max(self.rivals(), key=lambda name: means[name])

    def sections(self) -> dict[str, Any]:
        """Sections of metrics/test.json: mean metrics of every scorer, or its failure."""
        sections: dict[str, Any] = {
            name: evaluation.summary() for name, evaluation in self.evaluations.items()
        }
        for name, setting in self.settings.items():
            if setting:
                sections[name]["setting"] = dict(setting)
        for name, users in self.sample_users.items():
            sections[name]["chosen_on_users"] = users
        failures = {name: {"failure": reason} for name, reason in self.failures.items()}
        return sections | failures | {RANDOM: self.random.summary()}


def score_baselines(
    board: Scoreboard,
    train: TrainingData,
    validation: EvaluationSet,
    config: RefitConfig,
    *,
    cold: EvaluationSet | None = None,
    seed: int,
    say: Callable[[str], None],
    new: TrainingData | None = None,
) -> None:
    """Add every baseline that can be fitted, with the setting that validation prefers.

    Args:
        board: to which the evaluations are added.
        train: what the settings are fitted to when they are compared.
        validation: what they are compared on; may be empty.
        config: which baselines, and what one may take.
        cold: the cold items of `validation`, on which baselines of content are compared; None: as
            the others are.
        seed: of the sample of users on whom settings are compared, where there are many.
        say: told beforehand of what will take a while.
        new: what the users of `validation` are scored by, if they are not in `train`.
    """
    seconds: dict[str, float] = {}
    choice = _Choice(train, validation, seed, new)
    on_cold = choice if cold is None else replace(choice, validation=cold)
    features = train.item_features.columns.values() if board.groups else ()
    for baseline in wanted_baselines(config.extra_baselines, features):
        plan, begun = baseline.plan(train, board.training, config.baseline_budget), time.monotonic()
        with part(baseline.name):
            if plan.obstacle:
                board.failures[baseline.name] = plan.obstacle
            else:
                chosen_on = on_cold if baseline.kinds else choice
                _score_baseline(board, baseline, plan, chosen_on, say)
        seconds[baseline.name] = time.monotonic() - begun
    if sum(seconds.values()) > LONG:
        say(f"baselines took {_durations(seconds)}")


def _durations(seconds: Mapping[str, float]) -> str:
    """The whole, and what took a second or more of it."""
    longest = sorted(seconds.items(), key=lambda pair: -pair[1])
    parts = ", ".join(f"{name} {took:.0f} s" for name, took in longest if took >= 1)
    return f"{sum(seconds.values()):.0f} s: {parts}"


@dataclass(frozen=True)
class _Choice:
    """What the settings of a baseline are compared on; see `score_baselines`."""

    train: TrainingData
    validation: EvaluationSet
    seed: int
    new: TrainingData | None

    def among(self, plan: Plan) -> "_Choice":
        """The same on a sample, where there are many users, or too many to fit each setting to."""
        count, are_new = plan.sample_users or SAMPLE_USERS, self.new is not None
        is_large = len(self.validation) > SAMPLE_USERS or plan.sample_users is not None
        if not (is_large and len(self.validation)):
            return self
        rows, target = sampled(self.train, self.validation, count, self.seed, are_new=are_new)
        if plan.sample_users is not None:
            return replace(self, train=rows, validation=target)
        return replace(self, validation=target, new=self.new or rows)


def _score_baseline(
    board: Scoreboard, baseline: Baseline, plan: Plan, choice: _Choice, say: Callable[[str], None]
) -> None:
    name, sample = baseline.name, ""
    few = choice.among(plan) if len(baseline.grid) > 1 else choice
    if few is not choice:
        users = len(few.validation) if plan.sample_users is None else few.train.num_users
        board.sample_users[name] = users
        sample = f", its setting chosen on {users:,} users"
    if plan.notice:
        say(f"{name}: {plan.notice}{sample}")
    setting = choose_setting(
        baseline, few.train, few.validation, board.objective, board.ks, new=few.new
    )
    board.settings[name] = setting
    board.add(name, baseline.scorer(board.training, setting, board.folded_in))
