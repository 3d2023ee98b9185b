"""Sections `model`, `train` and `evaluate`: what a trial computes from prepared data."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from twotower.config.section import Section
from twotower.config.training_choices import LOSSES, SCHEDULES, STARTS, Negatives

Exponent = Annotated[float, Field(ge=0, le=2)]


class ModelConfig(Section):
    """Section `model`: the architecture of both towers, and where training starts."""

    dim: PositiveInt = 32
    """Length of the user and item vectors."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the hidden layers between the summed embeddings and the output; []: none."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout rate of the summed embeddings; with `user_tower: sequence`, of the layers of the
    sequence tower and of its input, while the vectors of candidates are whole."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """Score of an item for a user: the cosine of their vectors, or their inner product."""
    temperature: PositiveFloat = 0.1
    """Divides the cosine in the loss, except in `mse`; ignored with `dot`, which learns its own
    scale."""
    features: bool = True
    """Whether the towers use the side features declared in `data`."""
    user_tower: Literal["id", "history", "both", "sequence"] = "id"
    """What represents a user besides side features: an embedding of the id, the pooled vectors of
    the items in the user's history, their sum, or a causal transformer over the user's last items.
    `history` and `sequence` serve users without training rows."""
    sequence_length: PositiveInt = 50
    """Latest items of a user that the sequence tower sees."""
    sequence_blocks: PositiveInt = 1
    """Layers of the sequence tower."""
    sequence_heads: PositiveInt = 1
    """Attention heads of each layer; they divide the vector's dimensions among them."""
    item_tower: Literal["id", "features", "both"] = "both"
    """What represents an item: an embedding of the id, its side features, or their sum."""
    history_half_life: PositiveFloat | None = None
    """Days after which an item of a history weighs half as much as the user's latest; null: time
    does not matter."""
    history_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of its weight that an item of a history loses with each later event of the user; 0:
    order does not matter. Events of the same second have the same weight."""
    weight_exponent: Exponent = 1.0
    """Power of the total event weight of a (user, item) pair at which it counts in histories and in
    what is decomposed; 0: every pair counts once. The rows of training keep their weights."""
    init: Annotated[str, AfterValidator(STARTS.check)] = "random"
    """Where training starts; docs/model.md explains each."""
    user_exponent: Exponent = 0.5
    """Interactions are divided by the user's total weight raised to this power before they are
    decomposed and pooled."""
    item_exponent: Exponent = 0.5
    """They are also divided by the item's total weight raised to this power."""
    singular_exponent: Exponent = 0.5
    """Exponent of the singular values in the inner product of a user's and an item's vector."""
    popularity_exponent: Exponent = 0.5
    """Spectral item vectors are multiplied by the item's total weight raised to this power; it has
    no effect on a ridge regression, which determines their lengths itself."""
    ridge_penalty: PositiveFloat = 0.1
    """Penalty of the ridge regression, as a multiple of the number of users times the mean squared
    element of their vectors."""
    popularity_weight: NonNegativeFloat = 0.0
    """Factor of the log of an item's total weight, which is added to its inner product, or to its
    cosine divided by the temperature. Above 0, the term occupies the last of the `dim` dimensions.
    It is not part of the training loss."""
    spectral_rank: PositiveInt | None = None
    """Dimensions of the decomposition, of which a model uses the first `dim`; null: the largest
    `dim` of the search space. The first dimensions depend slightly on how many are computed."""

    @model_validator(mode="after")
    def _check(self) -> "ModelConfig":
        if self.item_tower == "features" and not self.features:
            msg = "item_tower: features needs features: true"
            raise ValueError(msg)
        embeds_ids = not self.hidden and self.item_tower != "features"
        if STARTS[self.init].needs_id_embeddings and not embeds_ids:
            msg = f"init: {self.init} sets embeddings of ids: it needs hidden: [] and item_tower: "
            raise ValueError(msg + "id or both")
        if self.spectral_rank is not None and self.spectral_rank < self.dim:
            msg = f"spectral_rank: must be at least dim, {self.dim}, got {self.spectral_rank}"
            raise ValueError(msg)
        if self.width < 1:
            msg = "popularity_weight occupies one dimension: dim must be at least 2"
            raise ValueError(msg)
        if self.reads_sequence:
            self._check_sequence()
        return self

    def _check_sequence(self) -> None:
        if STARTS[self.init].needs_id_embeddings:
            msg = f"user_tower: sequence is trained from random: it cannot have init: {self.init}"
            raise ValueError(msg)
        if self.width % self.sequence_heads:
            msg = f"sequence_heads: must divide the {self.width} dimensions of the tower, "
            raise ValueError(msg + f"got {self.sequence_heads}")

    @property
    def width(self) -> int:
        """Length of the towers' vectors: `dim`, or one less with a popularity term."""
        return self.dim - (self.popularity_weight > 0)

    @property
    def pools_history(self) -> bool:
        """Whether the user tower pools the items of a user's history."""
        return self.user_tower in {"history", "both"}

    @property
    def reads_sequence(self) -> bool:
        """Whether the user tower is a transformer over the user's last items."""
        return self.user_tower == "sequence"


class TrainConfig(Section):
    """Section `train`: how the towers are fitted."""

    loss: Annotated[str, AfterValidator(LOSSES.check)] = "softmax"
    """What training minimises; docs/model.md explains each."""
    lr: PositiveFloat = 0.003
    """Learning rate, at the beginning of `schedule`."""
    epochs: NonNegativeInt = 5
    """Passes over the training rows; 0: the model stays as `model.init` sets it."""
    last_epoch: PositiveInt | None = None
    """Epoch after which training stops early, without changing the schedule; null: the last. Set by
    a search with `patience` for refit."""
    batch_size: PositiveInt = 256
    """Rows of a training step; with `user_tower: sequence`, sequences."""
    logq: bool = True
    """Whether to correct the logits for how often each item is sampled."""
    uniform_negatives: NonNegativeInt = 0
    """Items drawn uniformly from the catalogue and added to each batch's negatives."""
    frequency_negatives: NonNegativeInt = 0
    """Items drawn as often as they occur in the training rows, and added in the same way."""
    schedule: Annotated[str, AfterValidator(SCHEDULES.check)] = "constant"
    """How the learning rate changes over the epochs; linear and cosine end at 0."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this factor times half the mean squared length of the batch's vectors to the loss."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share that an exponential moving average of the weights keeps at the end of each epoch; the
    average is the model; the first 1 / (1 - decay) epochs count evenly. 0: the model is the weights
    of its last epoch."""
    patience: PositiveInt | None = None
    """Epochs without a better validation score after which a trial of the search stops. Its result
    is that of its best epoch, and refit trains for as many. null: all epochs, scored at the end."""
    threads: PositiveInt = 1
    """CPU threads of one training run; another number gives slightly different results."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the towers are trained; auto: on a CUDA device, if there is one and the training step
    is large enough to be faster there."""

    @model_validator(mode="after")
    def _check(self) -> "TrainConfig":
        drawn = self.uniform_negatives + self.frequency_negatives
        if LOSSES[self.loss].negatives is Negatives.DRAWN and not drawn:
            msg = f"loss: {self.loss} needs frequency_negatives or uniform_negatives above 0"
            raise ValueError(msg)
        return self


def check_start(model: ModelConfig, train: TrainConfig) -> None:
    """Require a start that is a model by itself where there are no epochs.

    Raises:
        ValueError: naming the starts that are.
    """
    if train.epochs == 0 and not STARTS[model.init].is_model:
        models = " or ".join(start.name for start in STARTS.values() if start.is_model)
        msg = f"train.epochs: 0 trains nothing: it needs model.init: {models}, got {model.init}"
        raise ValueError(msg)


EventName = Annotated[str, Field(min_length=1)]


class RelevantConfig(Section):
    """Which held-out rows a ranking should find; the others are neither found nor missed."""

    events: Annotated[tuple[EventName, ...], Field(min_length=1)] | None = None
    """Types of event that count, as `data.event_weights` has them; null: all."""
    min_weight: PositiveFloat | None = None
    """Least weight or rating that counts, as the column `data.interactions.columns.weight` has it,
    before `data.event_weights` and `data.repeats`; null: any."""


class EvaluateConfig(Section):
    """Section `evaluate`: how a ranking is scored."""

    ks: Annotated[
        tuple[PositiveInt, ...], Field(json_schema_extra={"minItems": 1, "uniqueItems": True})
    ] = (5, 10, 20)
    """Cut-offs of the metrics, in ascending order: recall_at_10 looks at the first ten items."""
    exclude_seen: bool = True
    """Whether items of a user's training history are excluded from the ranking."""
    relevant: RelevantConfig = RelevantConfig()
    """Which held-out rows count, in search and test; all rows are trained on."""

    @field_validator("ks")
    @classmethod
    def _ascending(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if not ks or list(ks) != sorted(set(ks)):
            msg = f"must be one or more distinct numbers in ascending order, got {list(ks)}"
            raise ValueError(msg)
        return ks
