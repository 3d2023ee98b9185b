"""When a hyperparameter does anything, given the others and the training data.

Two trials are the same if they differ only in what does nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twotower.common.choices import Table
from twotower.config.hyperparameters import Params, hyperparameters
from twotower.config.training import ModelConfig, TrainConfig
from twotower.config.training_choices import LOSSES, STARTS, Loss, Negatives, Start


@dataclass(frozen=True)
class DataFacts:
    """What decides which hyperparameters do anything on a training split.

    Attributes:
        num_rows: of the split.
        num_users: that have a row.
        num_items: that have a row.
        has_order: whether a user has rows of different seconds.
        user_features: whether users have side features.
        item_features: whether items have.
    """

    num_rows: int
    num_users: int
    num_items: int
    has_order: bool
    user_features: bool
    item_features: bool


ANY_DATA = DataFacts(10**12, 10**12, 10**12, True, True, True)
"""Data on which everything can have an effect."""


@dataclass(frozen=True)
class Setting:
    """A training run, on data."""

    model: ModelConfig
    train: TrainConfig
    data: DataFacts

    @property
    def trains(self) -> bool:
        """Whether there are epochs."""
        return self.train.epochs > 0

    @property
    def start(self) -> Start:
        """The row of `model.init`."""
        return STARTS[self.model.init]

    @property
    def loss(self) -> Loss:
        """The row of `train.loss`."""
        return LOSSES[self.train.loss]

    @property
    def reads_histories(self) -> bool:
        """Whether the vectors of users are, or start as, those of their items."""
        return self.model.pools_history or self.start.decomposes


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Effect:
    """When a hyperparameter does anything.

    Attributes:
        name: of the hyperparameter.
        summary: when it has an effect, one line for the docs.
        matters: whether it has one in a training run.
        value: what a training run makes of it; None: the value itself.
        can_matter: whether it has one in any training run on such data.
        reason: why not, for messages.
    """

    name: str
    summary: str
    matters: Callable[[Setting], bool] = _always
    value: Callable[[Setting], Any] | None = None
    can_matter: Callable[[DataFacts], bool] = _always
    reason: str = ""


def _trains(setting: Setting) -> bool:
    return setting.trains


def _reads_histories(setting: Setting) -> bool:
    return setting.reads_histories


def _decomposes(setting: Setting) -> bool:
    return setting.start.decomposes


def _has_order(data: DataFacts) -> bool:
    return data.has_order


def _starts_with_features(setting: Setting) -> bool:
    """Whether items without rows start with what their features say."""
    model, start = setting.model, setting.start
    encoded = model.item_tower == "both" and setting.data.item_features
    return start.decomposes and model.similarity == "dot" and encoded


def _features_matter(setting: Setting) -> bool:
    return setting.trains or _starts_with_features(setting)


def _temperature_matters(setting: Setting) -> bool:
    in_loss = setting.trains and setting.loss.temperature
    in_term = setting.model.popularity_weight > 0
    return setting.model.similarity == "cosine" and (in_loss or in_term)


def _popularity_exponent_matters(setting: Setting) -> bool:
    fitted = setting.start.regresses and not setting.trains and not setting.model.popularity_weight
    return setting.reads_histories and not fitted


def _dim(setting: Setting) -> int:
    """Further dimensions of an untrained decomposition are 0."""
    model, data = setting.model, setting.data
    if setting.trains or not setting.start.decomposes:
        return model.dim
    return min(model.dim, min(data.num_users, data.num_items) + model.dim - model.width)


def _item_tower(setting: Setting) -> str:
    model = setting.model
    with_features = model.features and setting.data.item_features and _features_matter(setting)
    return "id" if model.item_tower == "both" and not with_features else model.item_tower


def _user_tower(setting: Setting) -> str:
    """Beside a pooled history, the embeddings of ids start at 0."""
    starts_as_history = setting.model.user_tower == "both" and not setting.trains
    return "history" if starts_as_history else setting.model.user_tower


def _draws_negatives(setting: Setting) -> bool:
    return setting.trains and setting.loss.negatives in {Negatives.BATCH, Negatives.DRAWN}


def _batch_size(setting: Setting) -> int:
    """Batches larger than the data are one, but count for how likely a drawn negative is."""
    train = setting.train
    draws = train.uniform_negatives or train.frequency_negatives
    return train.batch_size if draws else min(train.batch_size, setting.data.num_rows)


NO_ORDER = "no user has events of different times"
WITH_HISTORIES = "a user tower with history, or an `init` that decomposes"
EFFECTS = Table(
    "hyperparameter",
    Effect(
        "dim", "values up to the number of users or of items, where nothing is trained", value=_dim
    ),
    Effect("dropout", "epochs above 0", _trains),
    Effect(
        "temperature",
        "`similarity: cosine` and either training by a loss that uses it, or a popularity term",
        _temperature_matters,
    ),
    Effect(
        "features",
        "side features in the data, and epochs above 0; or those of items, `item_tower: both`, "
        "`similarity: dot` and an `init` that decomposes",
        _features_matter,
        can_matter=lambda data: data.user_features or data.item_features,
        reason="the data has no side features",
    ),
    Effect(
        "user_tower", "any values; where nothing is trained, `both` is `history`", value=_user_tower
    ),
    Effect(
        "item_tower",
        "any values; without side features of items, or where these do nothing, `both` is `id`",
        value=_item_tower,
    ),
    *(
        Effect(
            name,
            f"users with events of different times, and {WITH_HISTORIES}",
            _reads_histories,
            can_matter=_has_order,
            reason=NO_ORDER,
        )
        for name in ("history_half_life", "history_decay")
    ),
    *(
        Effect(name, WITH_HISTORIES, _reads_histories)
        for name in ("user_exponent", "item_exponent", "weight_exponent")
    ),
    Effect("singular_exponent", "an `init` that decomposes", _decomposes),
    Effect(
        "popularity_exponent",
        f"{WITH_HISTORIES}, but not an untrained `ridge` without a popularity term",
        _popularity_exponent_matters,
    ),
    Effect("ridge_penalty", "`init: ridge`", lambda setting: setting.start.regresses),
    Effect("spectral_rank", "an `init` that decomposes", _decomposes),
    *(
        Effect(name, "epochs above 0", _trains)
        for name in (
            "loss",
            "lr",
            "last_epoch",
            "schedule",
            "weight_decay",
            "ema_decay",
            "patience",
        )
    ),
    Effect("batch_size", "epochs above 0; values up to the number of rows", _trains, _batch_size),
    Effect(
        "logq",
        "epochs above 0 and a loss that it corrects",
        lambda setting: setting.trains and setting.loss.log_q,
    ),
    *(
        Effect(name, "epochs above 0 and a loss that draws negatives", _draws_negatives)
        for name in ("uniform_negatives", "frequency_negatives")
    ),
    *(
        Effect(name, "`user_tower: sequence`", lambda setting: setting.model.reads_sequence)
        for name in ("sequence_length", "sequence_blocks", "sequence_heads")
    ),
)
"""Hyperparameters without a row have an effect in every training run."""


def effective(model: ModelConfig, train: TrainConfig, data: DataFacts) -> Params:
    """The hyperparameters that have an effect in a training run, as it uses them."""
    setting = Setting(model, train, data)
    found: Params = {}
    for name, value in hyperparameters(model, train).items():
        effect = EFFECTS.get(name)
        if effect is None:
            found[name] = value
        elif effect.can_matter(data) and effect.matters(setting):
            found[name] = value if effect.value is None else effect.value(setting)
    return found


def without_effect(data: DataFacts) -> dict[str, str]:
    """The hyperparameters that have no effect in any training run on such data, and why."""
    return {name: row.reason for name, row in EFFECTS.items() if not row.can_matter(data)}
