"""How much each parameter of a search matters, and how far that can be trusted.

Of a search of up to MOST_FOR_FANOVA complete trials: fANOVA, the share of the differences between
trials that a parameter explains alone. Optuna's evaluator leaves out parameters that only some
trials have, and takes a logarithmic range as if it were linear. So it is given every parameter as
its place in its range, and the usual value for the trials without it, which no tree can then tell
from the trials that have it. The spread is that over the trees, each of another resample of the
trials.

Of a larger search: PED-ANOVA, how much the best tenth of the trials differ from all; fANOVA takes
minutes there. Below, that tenth is too few trials: of 20 it is two, and the two say nothing. The
spread is that over resamples of the trials.

Sources: Hutter et al., ICML 2014 (fANOVA); Watanabe et al., IJCAI 2023 (PED-ANOVA).
`python -m benchmarks.importance` compares the two.
"""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial

from twotower.common.files import round_float

MOST_FOR_FANOVA = 200
TREES = 32
RESAMPLES = 16
SPREAD = (10, 90)
"""Percentiles over trees or resamples."""


@dataclass(frozen=True)
class Weight:
    """The importance of one parameter; shares are of 1."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance:
    """The importance of every parameter that can vary.

    Attributes:
        by_variance: whether shares are those of the differences between trials (fANOVA), which
            with what no parameter explains alone sum to 1; otherwise they sum to 1 by themselves.
        weights: the highest share first; of equal ones in alphabetical order; empty if nothing can
            be said.
        warnings: what Optuna said of it.
    """

    by_variance: bool
    weights: tuple[Weight, ...] = ()
    warnings: tuple[str, ...] = ()


def place(distribution: BaseDistribution, value: float) -> float:
    """Where a value is in its range, from 0 at the low end to 1, on the range's own scale."""
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    scale = math.log if distribution.log else float  # type: ignore[attr-defined]
    return 0.5 if low == high else (scale(value) - scale(low)) / (scale(high) - scale(low))


def ranges_of(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """The range of each parameter that any of the trials has, in alphabetical order."""
    found = {name: space for trial in trials for name, space in trial.distributions.items()}
    return dict(sorted(found.items()))


def weigh(trials: Sequence[FrozenTrial]) -> Importance:
    """Weigh the parameters of complete trials, of which the value is to be high."""
    by_variance = len(trials) <= MOST_FOR_FANOVA
    varied = {name: space for name, space in ranges_of(trials).items() if not space.single()}
    if not varied:
        return Importance(by_variance)
    if by_variance:
        return Importance(by_variance, _weights(fanova(trials, varied)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shares = ped_anova(trials)
    heard = dict.fromkeys(str(warning.message) for warning in caught)
    return Importance(by_variance, _weights(_resampled(trials), shares), tuple(heard))


def _weights(
    rows: Sequence[Mapping[str, float]], shares: Mapping[str, float] | None = None
) -> tuple[Weight, ...]:
    """The mean, or the given shares, with the spread over rows."""
    found = []
    for name in sorted(rows[0] if rows else ()):
        values = [row.get(name, 0.0) for row in rows]
        share = float(np.mean(values)) if shares is None else shares.get(name, 0.0)
        low, high = (float(end) for end in np.percentile(values, SPREAD))
        found.append(Weight(name, *map(round_float, (share, min(low, share), max(high, share)))))
    return tuple(sorted(found, key=lambda weight: -weight.share))


def fanova(
    trials: Sequence[FrozenTrial], ranges: Mapping[str, BaseDistribution]
) -> list[dict[str, float]]:
    """Shares of the variance by one tree each; trees that saw equal values only are left out."""
    columns = {name: _column(name, space, trials) for name, space in ranges.items()}
    spaces: dict[str, BaseDistribution] = {
        name: space if isinstance(space, CategoricalDistribution) else FloatDistribution(0, 1)
        for name, space in ranges.items()
    }
    study = _study(
        [
            create_trial(
                params={name: column[row] for name, column in columns.items()},
                distributions=spaces,
                value=trial.value,
            )
            for row, trial in enumerate(trials)
        ]
    )
    found = []
    for seed in range(TREES):
        tree = FanovaImportanceEvaluator(n_trees=1, seed=seed)
        try:
            found.append(tree.evaluate(study))
        except RuntimeError:  # zero variance
            continue
    return found


def _column(name: str, space: BaseDistribution, trials: Sequence[FrozenTrial]) -> list[Any]:
    """The parameter in every trial; the most common choice, or the median, where it has none."""
    tried = [trial.params[name] for trial in trials if name in trial.params]
    if isinstance(space, CategoricalDistribution):
        usual = Counter(tried).most_common(1)[0][0]
        return [trial.params.get(name, usual) for trial in trials]
    median = float(np.median([place(space, value) for value in tried]))
    return [
        place(space, trial.params[name]) if name in trial.params else median for trial in trials
    ]


def _resampled(trials: Sequence[FrozenTrial]) -> list[dict[str, float]]:
    """Shares in resamples; Optuna warned of the trials as they are already."""
    generator = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [
            ped_anova([trials[row] for row in generator.integers(len(trials), size=len(trials))])
            for _ in range(RESAMPLES)
        ]


def ped_anova(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """Shares, of 1, of how far the best tenth of the trials differs from all."""
    shares = PedAnovaImportanceEvaluator().evaluate(_study(trials))
    total = sum(shares.values())
    return {name: share / total if total else 0.0 for name, share in shares.items()}


def _study(trials: Sequence[FrozenTrial]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    return study
