"""LensKit's flexible matrix factorisation, with its pairwise and its logistic loss.

Its WARP loss, of which a pass takes many times as long, and its own ALS, kNN and EASE, which others
here stand for, are left out.
"""

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.evaluation.ranking import VectorScorer

UNTIL_STOPPED = 100_000
GRID: tuple[Setting, ...] = tuple(
    {**loss, "embedding_size": size, "regularization": regularization}
    for loss in ({"preset": "bpr"}, {"loss": "logistic", "negative_count": 4})
    for size in (64, 256)
    for regularization in (0.01, 0.1)
)


def _fit(problem: Problem, dataset: Any, setting: Setting, on_pass: OnPass) -> VectorScorer:
    import torch
    from lenskit.flexmf import FlexMFImplicitScorer
    from lenskit.training import TrainingOptions

    _use_threads(problem.threads)
    torch.use_deterministic_algorithms(False)  # as LensKit has it; ours sets it for the process
    component = FlexMFImplicitScorer(**setting, epochs=UNTIL_STOPPED)
    options = TrainingOptions(
        device="cpu",
        rng=problem.seed,
        environment={"LK_TORCH_COMPILE": "0"},  # compiling takes longer than it saves here
    )
    trainer = component.create_trainer(dataset, options)
    for number in range(1, UNTIL_STOPPED + 1):
        trainer.train_epoch()
        on_pass(number, lambda: _scorer(component, problem))
    return _scorer(component, problem)


def _scorer(component: Any, problem: Problem) -> VectorScorer:
    """Vectors whose inner products are the scores: the item's bias is one more dimension.

    The user's bias changes no order, and is left out.
    """
    model = component.model
    items = model.i_embed.weight.detach().numpy()
    users = model.u_embed.weight.detach().numpy()
    bias = np.zeros((len(items), 1)) if model.i_bias is None else model.i_bias.weight.detach()
    item_rows = np.hstack([items, np.asarray(bias)]).astype(np.float32)
    user_rows = np.hstack([users, np.ones((len(users), 1))]).astype(np.float32)
    return VectorScorer(
        _by_index(user_rows, component.users.ids(), problem.num_users),
        _by_index(item_rows, component.items.ids(), problem.num_items),
    )


def _by_index(rows: Any, ids: Any, count: int) -> Any:
    placed = np.zeros((count, rows.shape[1]), dtype=np.float32)
    placed[np.asarray(ids)] = rows
    return placed


@cache
def _use_threads(threads: int) -> None:
    from lenskit.parallel import initialize

    initialize(processes=1, threads=threads, backend_threads=threads)


def _load(problem: Problem) -> Any:
    from lenskit.data import from_interactions_df

    users, items = problem.histories().nonzero()
    frame = pd.DataFrame({"user_id": users.astype(np.int64), "item_id": items.astype(np.int64)})
    return from_interactions_df(frame)


def _obstacle(_problem: Problem) -> str:
    return "" if find_spec("lenskit") else "not installed: pip install lenskit"


METHODS = (Method("lenskit_flexmf", GRID, _fit, _load, _obstacle),)
