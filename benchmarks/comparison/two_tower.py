"""Our own model, by the same functions as the pipeline."""

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.config.load import with_hyperparameters
from twotower.config.training import ModelConfig, TrainConfig
from twotower.evaluation.ranking import VectorScorer
from twotower.training.fit import fit
from twotower.training.towers import TwoTower

UNTIL_STOPPED = 100_000
"""Epochs: training ends with the budget, or with patience."""
SPECTRAL: Setting = {"init": "spectral", "user_exponent": 0.4}
ITEMS: tuple[Setting, ...] = (
    {"item_exponent": 0.5, "popularity_exponent": 0.5},
    {"item_exponent": 0.3, "popularity_exponent": 0.1},
)
TRAINED = {"dim": 64, "batch_size": 2048, "epochs": UNTIL_STOPPED, "popularity_weight": 0.3}
GRID: tuple[Setting, ...] = (
    *(
        {**SPECTRAL, "similarity": "dot", "epochs": 0, "dim": dim, **items}
        for dim in (64, 256, 1024)
        for items in ITEMS
    ),
    {**SPECTRAL, **TRAINED, **ITEMS[0], "lr": 0.015, "temperature": 0.1},
    {**SPECTRAL, **TRAINED, **ITEMS[1], "lr": 0.005, "temperature": 0.2},
)


def two_tower(name: str, grid: tuple[Setting, ...]) -> Method:
    """Our model under a name and with a grid of its own; hyperparameters not named are defaults."""
    return Method(name, grid, _fit)


def _fit(problem: Problem, _loaded: None, setting: Setting, on_pass: OnPass) -> VectorScorer:
    base = TrainConfig(threads=problem.threads, device="cpu")
    model_config, train_config = with_hyperparameters(ModelConfig(), base, setting, "the grid")

    def on_epoch(epoch: int, _loss: float, model: TwoTower) -> None:
        on_pass(epoch, lambda: VectorScorer(*model.vectors()))

    model = fit(
        problem.catalogue,
        problem.interactions,
        model_config,
        train_config,
        seed=problem.seed,
        on_epoch=on_epoch,
    )
    return VectorScorer(*model.vectors())
