"""Sections `model`, `train`, `evaluate` and `refit`: what is computed from prepared data."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from twotower.config.section import Section

Exponent = Annotated[float, Field(ge=0, le=2)]


class ModelConfig(Section):
    """Section `model`: the architecture of both towers, and where training starts."""

    dim: PositiveInt = 32
    """Length of the user and item vectors."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the hidden layers between the summed embeddings and the output; []: none."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the summed embeddings' elements that each training step leaves out."""
    similarity: Literal["cosine", "dot"] = "cosine"
    temperature: PositiveFloat = 0.1
    """Divides the cosine in the softmax losses; a dot product learns its own scale, ignores it."""
    features: bool = True
    """Whether the towers use the side features that `data` declares."""
    user_tower: Literal["id", "history", "both"] = "id"
    """What a user is known by, besides side features: an embedding of the id, the pooled vectors of
    the items in the user's history (which serves users that training never saw), or their sum."""
    item_tower: Literal["id", "features", "both"] = "both"
    """What an item is known by: an embedding of the id, its side features, or their sum."""
    history_half_life: PositiveFloat | None = None
    """Days after which an item of a history weighs half as much as the user's latest; null: time
    does not matter."""
    history_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of its weight that an item of a history loses with each later event of the user; 0:
    their order does not matter. Events of one second weigh alike."""
    init: Literal["random", "spectral", "ridge"] = "random"
    """Where training starts: at random vectors; at a truncated singular value decomposition of the
    interactions; or at its users, with the item vectors that a ridge regression finds for them. The
    last two are models by themselves (`train.epochs: 0`)."""
    user_exponent: Exponent = 0.5
    """Interactions are divided by the user's total weight to this power before decomposition and
    pooling."""
    item_exponent: Exponent = 0.5
    """Likewise by the item's total weight."""
    singular_exponent: Exponent = 0.5
    """Power of the singular values in the product of a user's and an item's vector."""
    popularity_exponent: Exponent = 0.5
    """Spectral item vectors are multiplied by the item's total weight to this power; a ridge
    regression finds their length itself."""
    ridge_penalty: PositiveFloat = 0.1
    """Penalty of the ridge regression, as a multiple of the mean squared user vector element times
    the number of users."""
    popularity_weight: NonNegativeFloat = 0.0
    """Factor of the log of an item's total weight in the score, beside the inner product, or the
    cosine divided by the temperature. Above 0 it takes the place of the last of the `dim`
    dimensions; training does not see it."""
    spectral_rank: PositiveInt | None = None
    """Dimensions of the decomposition, of which a model takes the first `dim`; null: the largest
    `dim` of the search space. The first dimensions of a larger one differ slightly."""

    @model_validator(mode="after")
    def _check(self) -> "ModelConfig":
        if self.item_tower == "features" and not self.features:
            msg = "item_tower: features needs features: true"
            raise ValueError(msg)
        if self.init != "random" and (self.hidden or self.item_tower == "features"):
            msg = f"init: {self.init} is the start of embeddings of ids: it needs hidden: [] and "
            raise ValueError(msg + "item_tower: id or both")
        if self.spectral_rank is not None and self.spectral_rank < self.dim:
            msg = f"spectral_rank: must be at least dim, {self.dim}, got {self.spectral_rank}"
            raise ValueError(msg)
        if self.width < 1:
            msg = "popularity_weight takes one dimension: it needs dim to be at least 2"
            raise ValueError(msg)
        return self

    @property
    def width(self) -> int:
        """Length of the towers' vectors: `dim`, less the one that holds the popularity."""
        return self.dim - (self.popularity_weight > 0)


class TrainConfig(Section):
    """Section `train`: how the towers are fitted."""

    loss: Literal["softmax", "full_softmax", "bilateral_softmax", "bpr", "mse"] = "softmax"
    """`softmax`: with the other items of the batch as negatives; `full_softmax`: with the whole
    catalogue, for small ones; `bilateral_softmax`: in-batch, without the positive among the
    negatives; `bpr`: against one random item each; `mse`: squared error of observed pairs."""
    lr: PositiveFloat = 0.003
    epochs: NonNegativeInt = 5
    """Passes over the training rows; 0 leaves the model as it starts."""
    last_epoch: PositiveInt | None = None
    """Epoch after which training stops, on a schedule made for all epochs; null: the last. A search
    with `patience` finds it for refit."""
    batch_size: PositiveInt = 256
    logq: bool = True
    """Correct sampled negatives for how often they are drawn."""
    uniform_negatives: NonNegativeInt = 0
    """Items drawn uniformly from the catalogue, added to each batch's negatives."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate goes from `lr` to 0 over the epochs; constant: it does not."""
    weight_decay: NonNegativeFloat = 0.0
    """Factor of half the mean squared length of the batch's vectors, added to the loss."""
    patience: PositiveInt | None = None
    """Epochs without a better validation score after which a trial of the search stops; it counts
    with its best epoch, and refit trains as many. null: all epochs, no scores on the way."""
    threads: PositiveInt = 1
    """CPU threads of one training run; other counts give other bytes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


class EvaluateConfig(Section):
    """Section `evaluate`: how a ranking is scored."""

    ks: tuple[PositiveInt, ...] = (5, 10, 20)
    exclude_seen: bool = True
    """Whether items of a user's training history are taken out of the ranking."""

    @field_validator("ks")
    @classmethod
    def _ascending(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if not ks or list(ks) != sorted(set(ks)):
            msg = f"must be one or more numbers, ascending and distinct, got {list(ks)}"
            raise ValueError(msg)
        return ks


class RefitConfig(Section):
    """Section `refit`: what the shipped model is trained on."""

    final: Literal["train_validation", "all"] = "train_validation"
    """`all`: the shipped model also sees the test rows; the metrics stay those of the other."""
    score_test: bool = True
    """false keeps exploration blind: the test split is not scored."""
    index: Literal["usearch"] | None = None
    """Approximate index of the item vectors, for serving; usearch needs the extra `index`."""
    seeds: PositiveInt = 3
    """Trainings whose test scores are compared; the first one's model is shipped."""
