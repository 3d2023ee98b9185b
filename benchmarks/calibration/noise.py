"""Shops without taste: how often the whole pipeline finds some.

Users choose uniformly or by popularity alone. In each shop 20 models of different hyperparameters
are fitted to the training rows, the best on validation is fitted again with the validation rows,
and the verdict is given on the test rows beside a random ranking and popularity.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.tables import Tables, most_claims, percent, table
from benchmarks.calibration.targets import METRIC, K, evaluation_target, interactions
from twotower.assessment.verdict import verdict
from twotower.baselines.popularity import Popularity
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.progress import track
from twotower.evaluation import metrics
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer, VectorScorer

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
    scorers: dict[str, Scorer] = {
        "optimized": spectral_models(known)[chosen],
        "popularity": Popularity(interactions(known), world.num_items),
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


def report(seeds: int) -> Tables:
    """How often signal is claimed where there is none, and where there is some."""
    rows, sound = [], True
    for name, world in (NO_TASTE | {"by taste": TASTE}).items():
        found = claims(world, track(range(seeds), f"shops, chosen from {name}"))
        share = sum(n for text, n in found.items() if is_claim(text)) / seeds
        sound = sound and (share <= most_claims(seeds) or bool(world.taste))
        verdicts = ", ".join(f"{text} {n}" for text, n in found.most_common())
        rows.append([name, percent(share), verdicts])
    return Tables(
        {"noise": table(["users choose", "signal claimed", "verdicts"], rows, seeds)}, sound
    )
