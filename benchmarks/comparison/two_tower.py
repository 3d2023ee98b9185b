"""Our own model, by the same functions as the pipeline."""

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.config.hyperparameters import replace_values
from twotower.config.training import ModelConfig, TrainConfig
from twotower.evaluation.ranking import VectorScorer
from twotower.training.fit import fit
from twotower.training.towers import TwoTower

UNTIL_STOPPED = 100_000
"""Epochs: training ends with the budget, or with patience."""
CLOSED: Setting = {"init": "spectral", "similarity": "dot", "epochs": 0}
RIDGE: Setting = {**CLOSED, "init": "ridge"}
TRAINED: Setting = {
    "init": "spectral", "similarity": "cosine", "epochs": UNTIL_STOPPED, "dim": 64,
    "batch_size": 2048,
}  # fmt: skip


def _exponents(user: float, item: float, popularity: float) -> Setting:
    return {"user_exponent": user, "item_exponent": item, "popularity_exponent": popularity}


LARGE = _exponents(0.4, 0.3, 0.1)
NARROW = _exponents(0.4, 0.3, 0.3)
WIDE = _exponents(0.4, 0.5, 0.5)
EVEN = {"user_exponent": 0.25, "item_exponent": 0.25, "weight_exponent": 0.0}
GRID: tuple[Setting, ...] = (
    *({**CLOSED, "dim": dim, **LARGE} for dim in (256, 640, 1024)),
    {**CLOSED, "dim": 1024, **WIDE},
    {**RIDGE, "dim": 64, **NARROW, "ridge_penalty": 0.1},
    {**RIDGE, "dim": 512, **NARROW, "ridge_penalty": 0.3},
    {**TRAINED, **_exponents(0.4, 0.4, 0.5), "lr": 0.015, "temperature": 0.1,
     "popularity_weight": 0.3},
    {**TRAINED, **_exponents(0.3, 0.3, 0.1), "lr": 0.002, "temperature": 0.2},
)  # fmt: skip
RECENT: Setting = {**CLOSED, "user_tower": "history"}
SHORT: Setting = {**RIDGE, "dim": 64, "singular_exponent": 1.0}
TIMED_GRID: tuple[Setting, ...] = (
    {**RECENT, **SHORT, **NARROW, "ridge_penalty": 0.1, "history_decay": 0.1},
    {**RECENT, **SHORT, **NARROW, "ridge_penalty": 0.3, "history_decay": 0.2},
    {**RECENT, **SHORT, **NARROW, "item_exponent": 0.2, "ridge_penalty": 0.1, "history_decay": 0.1},
    {**RECENT, **RIDGE, "dim": 256, **EVEN, "ridge_penalty": 1.0, "history_decay": 0.3},
    {**RECENT, **RIDGE, "dim": 1024, **EVEN, "ridge_penalty": 3.0, "history_decay": 0.3},
    {**RECENT, "dim": 1024, **WIDE, "history_decay": 0.5},
    {**TRAINED, **_exponents(0.4, 0.4, 0.5), "lr": 0.015, "temperature": 0.1,
     "popularity_weight": 0.3, "history_decay": 0.2},
    {**TRAINED, **NARROW, "lr": 0.0075, "temperature": 0.2, "popularity_weight": 0.1,
     "history_decay": 0.2},
)  # fmt: skip


SEQUENCE: Setting = {
    "user_tower": "sequence", "similarity": "dot", "epochs": UNTIL_STOPPED, "lr": 0.001,
    "loss": "sampled_softmax", "uniform_negatives": 256, "frequency_negatives": 256,
    "ema_decay": 0.85,
}  # fmt: skip
SEQUENCE_GRID: tuple[Setting, ...] = tuple(
    {**SEQUENCE, "dim": dim, "dropout": dropout, "sequence_length": length}
    for dim in (64, 128)
    for dropout in (0.3, 0.5)
    for length in (50, 200)
)


def two_tower(name: str, grid: tuple[Setting, ...], timed_grid: tuple[Setting, ...] = ()) -> Method:
    """Our model under a name and with grids of its own; hyperparameters not named are defaults."""
    return Method(name, grid, _fit, timed_grid=timed_grid)


def sequence_tower(name: str) -> Method:
    """Our model with a transformer as its user tower."""
    return Method(name, SEQUENCE_GRID, _fit, obstacle=_without_times)


def _without_times(problem: Problem) -> str:
    return "" if problem.interactions.has_times else "the data has no times"


def _fit(problem: Problem, _loaded: None, setting: Setting, on_pass: OnPass) -> VectorScorer:
    base = TrainConfig(threads=problem.threads, device="cpu")
    model_config, train_config = (
        replace_values(section, setting, "the grid") for section in (ModelConfig(), base)
    )

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
