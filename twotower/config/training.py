"""Sections `model`, `train`, `evaluate` and `refit`: what is computed from prepared data."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from twotower.config.base import Section


class ModelConfig(Section):
    """Section `model`: the architecture of both towers."""

    dim: PositiveInt = 32
    """Length of the user and item vectors."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of the hidden layers between the summed embeddings and the output; []: none."""
    similarity: Literal["cosine", "dot"] = "cosine"
    temperature: PositiveFloat = 0.1
    """Divides the cosine in the softmax loss; a dot product learns its own scale and ignores it."""
    features: bool = True
    """Whether the towers use the side features that `data` declares, besides the ids."""


class TrainConfig(Section):
    """Section `train`: how the towers are fitted."""

    loss: Literal["softmax", "mse"] = "softmax"
    """In-batch sampled softmax, or the squared error of observed pairs."""
    lr: PositiveFloat = 0.005
    epochs: PositiveInt = 5
    batch_size: PositiveInt = 256
    logq: bool = True
    """Correct in-batch negatives for popularity."""
    threads: PositiveInt = 1
    """CPU threads of one training run; other counts give other bytes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


class EvaluateConfig(Section):
    """Section `evaluate`: how a ranking is scored."""

    ks: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (5, 10, 20)
    exclude_seen: bool = True
    """Whether items of a user's training history are taken out of the ranking."""

    @field_validator("ks")
    @classmethod
    def _ascending(cls, ks: tuple[int, ...]) -> tuple[int, ...]:
        if list(ks) != sorted(set(ks)):
            msg = f"must be ascending and distinct, got {list(ks)}"
            raise ValueError(msg)
        return ks


class RefitConfig(Section):
    """Section `refit`: what the shipped model is trained on."""

    final: Literal["train_validation", "all"] = "train_validation"
    """`all`: the shipped model also sees the test rows; the metrics stay those of the other."""
    score_test: bool = True
    """false keeps exploration blind: the test split is not scored."""
    seeds: PositiveInt = 3
    """Trainings whose test scores are compared; the first one's model is shipped."""
