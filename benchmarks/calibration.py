"""Do the verdict and the intervals err as often as they say?

    python -m benchmarks.calibration [--seeds 1000] [--only noise|lift]

Noise: shops in which users choose without taste, uniformly or by popularity alone. In each, 20
models of different hyperparameters are fitted to the training rows, the best on validation is
fitted again with the validation rows, and the verdict is given on the test rows beside a random
ranking and popularity. It claims `beats every baseline` or `signal` in at most 6.7 %: the test's
5 %, and what chance adds to it over 1,000 shops with a probability of 1 %.

Lift: two fixed rankings of one catalogue, and users whose items are drawn so that the expectation
of each metric under each ranking is known in closed form. The 95 % intervals hold the true
difference in 93.1 to 96.7 %. With fewer seeds both bounds are as much wider as chance is.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.assessment.statistics.paired_tests import paired_intervals
from twotower.assessment.verdict import verdict
from twotower.baselines.popularity import Popularity
from twotower.common.arrays import Float64Array, Int64Array
from twotower.data.interactions import Interactions
from twotower.evaluation import metrics
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, self_information
from twotower.evaluation.ranking import VectorScorer

K = 10
METRIC = f"recall_at_{K}"
CANDIDATES = [(dim, power) for dim in (1, 2, 4, 8, 16) for power in (0.0, 0.25, 0.5, 1.0)]
"""Dimensions and popularity exponents of the models that are chosen from."""
RESAMPLES = 2_000
"""Of each interval and test: a fifth of what the pipeline takes, for the sake of time."""


@dataclass(frozen=True)
class World:
    """Users who, without taste, choose items independently of who they are.

    Attributes:
        num_users: all with a history.
        num_items: in the catalogue.
        skew: an item's probability falls with its rank to this power; 0: all are the same.
        train: most and fewest training items of a user.
        held_out: validation items and, likewise, test items of a user.
        taste: of two halves of users, each prefers one half of the items by this factor's log.
    """

    num_users: int
    num_items: int
    skew: float
    train: tuple[int, int] = (4, 24)
    held_out: int = 3
    taste: float = 0.0


NO_TASTE = {
    "uniformly": World(200, 100, skew=0.0),
    "uniformly, few hits": World(200, 250, skew=0.0, held_out=1),
    "by popularity": World(200, 100, skew=1.0),
    "by popularity, few hits": World(200, 250, skew=0.7, held_out=1),
}
TASTE = World(200, 100, skew=1.0, taste=2.0)
"""For comparison: here there is something to find."""


@dataclass(frozen=True)
class Shop:
    """What users chose, in the order in which they chose it.

    Attributes:
        chosen: [num_users, most] distinct items of each user.
        counts: [num_users] length of each user's history; held-out items follow it.
        world: that it is drawn from.
    """

    chosen: Int64Array
    counts: Int64Array
    world: World

    @classmethod
    def draw(cls, world: World, rng: np.random.Generator) -> "Shop":
        """A shop; without replacement, by the Gumbel trick."""
        weights = -world.skew * np.log(np.arange(1, world.num_items + 1))
        halves = np.arange(world.num_users)[:, None] % 2 == np.arange(world.num_items) % 2
        keys = weights + world.taste * halves + rng.gumbel(size=(world.num_users, world.num_items))
        most = world.train[1] + 2 * world.held_out
        counts = rng.integers(world.train[0], world.train[1], world.num_users, endpoint=True)
        return cls(np.argsort(-keys, axis=1)[:, :most], counts, world)

    def matrix(self, extra: int) -> Float64Array:
        """[num_users, num_items] 1 where a user's history, and `extra` more items, has the item."""
        seen = np.arange(self.chosen.shape[1]) < (self.counts + extra)[:, None]
        matrix = np.zeros((self.world.num_users, self.world.num_items))
        users = np.broadcast_to(np.arange(len(matrix))[:, None], seen.shape)
        matrix[users[seen], self.chosen[seen]] = 1.0
        return matrix

    def target(self, extra: int) -> EvaluationSet:
        """The next items of each user, with what came before masked."""
        before, after = self.matrix(extra), self.matrix(extra + self.world.held_out)
        return evaluation_target(after - before, before)


def evaluation_target(relevant: Float64Array, masked: Float64Array) -> EvaluationSet:
    """An evaluation set from two [num_users, num_items] matrices of 0 and 1."""
    lists = [_interactions(m).distinct_items(*m.shape) for m in (relevant, masked)]
    users, size = np.arange(len(relevant)), relevant.shape[1]
    bits = self_information(lists[1], size)
    return EvaluationSet(users, lists[0], lists[0].counts, lists[1], size, 0, 0, bits)


def _interactions(matrix: Float64Array) -> Interactions:
    users, items = np.nonzero(matrix)
    return Interactions(users, items, np.ones(len(users), np.float32), np.zeros(len(users), int))


def spectral_models(matrix: Float64Array) -> dict[tuple[int, float], VectorScorer]:
    """Two towers without a gradient step, for each candidate: singular vectors of the history."""
    users, items = matrix.sum(axis=1), np.maximum(matrix.sum(axis=0), 0.5)
    normal = matrix / np.sqrt(users)[:, None] / np.sqrt(items)
    _, values, vectors = np.linalg.svd(normal, full_matrices=False)
    models = {}
    for dim, power in CANDIDATES:
        axes = vectors[:dim].T
        user_vecs = normal @ axes * np.sqrt(values[:dim])
        item_vecs = axes * (items**power)[:, None]
        models[dim, power] = VectorScorer(user_vecs.astype("f4"), item_vecs.astype("f4"))
    return models


def claim(world: World, seed: int, resamples: int) -> str:
    """The verdict on the best of the candidates in one shop of the world."""
    shop = Shop.draw(world, np.random.default_rng(seed))
    models = spectral_models(shop.matrix(0))
    validation = shop.target(0)
    values = {
        name: evaluate(model, validation, (K,)).per_user[METRIC].mean()
        for name, model in models.items()
    }
    chosen = max(values, key=values.__getitem__)
    known, test = shop.matrix(world.held_out), shop.target(world.held_out)
    scorers = {
        "optimized": spectral_models(known)[chosen],
        "popularity": Popularity(_interactions(known), world.num_items),
    }
    per_user = {name: evaluate(s, test, (K,)).per_user[METRIC] for name, s in scorers.items()}
    per_user["random"] = metrics.random_expectation(test, (K,)).per_user[METRIC]
    return verdict(per_user, seed=seed, resamples=resamples).text


def claims(world: World, seeds: Iterable[int], resamples: int = RESAMPLES) -> Counter[str]:
    """How often each verdict is given."""
    return Counter(claim(world, seed, resamples) for seed in seeds)


def is_claim(text: str) -> bool:
    """Whether a verdict says that there is signal."""
    return text.startswith(("beats", "signal"))


NUM_ITEMS = 500
SEGMENTS = np.arange(NUM_ITEMS).reshape(10, 50)
"""Each user's items are drawn from one of these, uniformly, without replacement."""
SEGMENT_SHARES = np.array([4, 3, 2, 2, 1, 1, 1, 1, 0.5, 0.5]) / 16
NUM_RELEVANT = np.arange(1, 6)
"""Relevant items of a user, each number as likely."""


def rankings() -> tuple[Int64Array, Int64Array]:
    """Two orders of the catalogue; the second begins with more of the frequent segments."""
    tops = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 0, 0, 1, 1, 1, 2, 3, 4, 5))
    orders = []
    for number, segments in enumerate(tops):
        first = [SEGMENTS[s, 7 * number + i] for i, s in enumerate(segments)]
        rest = np.setdiff1d(np.arange(NUM_ITEMS), first)
        orders.append(np.concatenate([first, rest]))
    return orders[0], orders[1]


def expectation(order: Int64Array) -> dict[str, float]:
    """True mean of each metric under a ranking, over the users that could be drawn.

    Of m relevant items from a segment of 50, h of which are in the top 10: each of the top ranks in
    that segment holds a relevant item with probability m / 50, so recall is h / 50 whatever m is,
    and DCG the discounts of those ranks times m / 50; there is a hit unless all m are among the
    other 50 - h.
    """
    size = SEGMENTS.shape[1]
    segment = order[:K] // size
    totals = {METRIC: 0.0, f"ndcg_at_{K}": 0.0, f"hit_rate_at_{K}": 0.0}
    for number, share in enumerate(SEGMENT_SHARES):
        inside = segment == number
        gain = float(metrics.discounts(K)[inside].sum())
        for m in NUM_RELEVANT.tolist():
            weight = share / len(NUM_RELEVANT)
            left = size - int(inside.sum()) - np.arange(m)
            totals[METRIC] += weight * inside.sum() / size
            ideal = float(metrics.ideal_dcg(np.array([m]), K)[0])
            totals[f"ndcg_at_{K}"] += weight * gain * m / size / ideal
            totals[f"hit_rate_at_{K}"] += weight * (1 - np.prod(left / (size - np.arange(m))))
    return {name: float(value) for name, value in totals.items()}


def users_of_segments(num_users: int, rng: np.random.Generator) -> EvaluationSet:
    """Users with relevant items as `expectation` describes them."""
    segment = rng.choice(len(SEGMENTS), size=num_users, p=SEGMENT_SHARES)
    count = rng.choice(NUM_RELEVANT, size=num_users)
    order = np.argsort(rng.random((num_users, SEGMENTS.shape[1])), axis=1)
    taken = np.arange(SEGMENTS.shape[1]) < count[:, None]
    rows = np.broadcast_to(np.arange(num_users)[:, None], order.shape)
    relevant = np.zeros((num_users, NUM_ITEMS))
    relevant[rows[taken], SEGMENTS[segment][rows[taken], order[taken]]] = 1.0
    return evaluation_target(relevant, np.zeros_like(relevant))


class FixedRanking:
    """The same order of the catalogue for everyone."""

    def __init__(self, order: Int64Array) -> None:
        scores = np.empty(len(order), np.float32)
        scores[order] = -np.arange(len(order))
        self._scores = torch.from_numpy(scores)

    def scores(self, user_idx: Int64Array) -> torch.Tensor:
        """[batch, num_items] float32, every row the same."""
        return self._scores.repeat(len(user_idx), 1)


def coverage(
    seeds: Iterable[int], num_users: int = 1000, resamples: int = RESAMPLES
) -> dict[str, dict[str, float]]:
    """Share of intervals that hold the truth, of means and of differences, by metric."""
    orders = rankings()
    truths = [expectation(order) for order in orders]
    names = list(truths[0])
    mean = np.array([truths[1][name] for name in names])
    lift = mean - np.array([truths[0][name] for name in names])
    held: dict[str, list[NDArray[np.bool_]]] = {"mean": [], "difference": []}
    for seed in seeds:
        target = users_of_segments(num_users, np.random.default_rng(seed))
        a, b = (
            np.stack([evaluate(FixedRanking(o), target, (K,)).per_user[n] for n in names], axis=1)
            for o in orders
        )
        low, high = bootstrap_intervals(b, seed=seed, resamples=resamples)
        held["mean"].append((low <= mean) & (mean <= high))
        low, high = paired_intervals(b - a, seed=seed, resamples=resamples)
        held["difference"].append((low <= lift) & (lift <= high))
    return {
        what: dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
        for what, found in held.items()
    }


def most_claims(seeds: int) -> float:
    """Share of claims that tests at 5 % exceed with a probability of 1 %; 0.067 of 1,000."""
    return float(stats.binom.ppf(0.99, seeds, 0.05) / seeds)


def covered(seeds: int) -> tuple[float, float]:
    """Between which the coverage of 95 % intervals lies with 99 %; 0.931 and 0.967 of 1,000."""
    low, high = stats.binom.ppf([0.005, 0.995], seeds, 0.95) / seeds
    return float(low), float(high)


def report_noise(seeds: int) -> bool:
    """Print how often signal is claimed where there is none; whether it is seldom enough."""
    print("| users choose | signal claimed | verdicts |\n|---|---|---|")
    sound = True
    for name, world in (NO_TASTE | {"by taste": TASTE}).items():
        found = claims(world, range(seeds))
        share = sum(n for text, n in found.items() if is_claim(text)) / seeds
        sound = sound and (share <= most_claims(seeds) or bool(world.taste))
        verdicts = ", ".join(f"{text}: {n}" for text, n in found.most_common())
        print(f"| {name} | {share:.1%} | {verdicts} |", flush=True)
    return sound


def report_lift(seeds: int) -> bool:
    """Print how often the intervals hold the truth; whether those of differences do as they say."""
    truths = [expectation(order) for order in rankings()]
    found = coverage(range(seeds))
    print("\n| metric | first | second | mean held | difference held |\n|---|---|---|---|---|")
    for name in truths[0]:
        print(
            f"| {name} | {truths[0][name]:.4f} | {truths[1][name]:.4f} "
            f"| {found['mean'][name]:.1%} | {found['difference'][name]:.1%} |"
        )
    low, high = covered(seeds)
    return all(low <= share <= high for share in found["difference"].values())


def main() -> None:
    """Print the tables; status 1 if one of them breaks its bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="shops and samples, each")
    parser.add_argument("--only", choices=["noise", "lift"])
    arguments = parser.parse_args()
    reports = {"noise": report_noise, "lift": report_lift}
    wanted = [arguments.only] if arguments.only else list(reports)
    broken = [name for name in wanted if not reports[name](arguments.seeds)]
    if broken:
        raise SystemExit(f"out of bounds: {', '.join(broken)}")


if __name__ == "__main__":
    main()
