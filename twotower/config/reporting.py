"""Sections `visualize` and `mlflow`: what is shown; nothing here changes what is computed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from twotower.common.bounded import shown
from twotower.config.section import Section


class VisualizeConfig(Section):
    """Section `visualize`: the plots."""

    static: Literal["auto", "always", "never"] = "auto"
    """PNG files beside the HTML; auto: where a Chrome or Chromium is found."""


def _registered(name: str) -> str:
    """A name that MLflow's registry takes, and finds again: it quotes names in its queries."""
    if set(name) & set("'/:"):
        msg = f"is a name in MLflow's registry, without ', / and :, got {shown(name)}"
        raise ValueError(msg)
    return name


class MlflowConfig(Section):
    """Section `mlflow`: tracking of trials, and the registry of models."""

    enabled: bool = False
    """Whether trials are logged to MLflow."""
    tracking_uri: str | None = None
    """null: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the repository."""
    experiment: Annotated[str, Field(min_length=1)] = "two-tower"
    """Name of the MLflow experiment."""
    model: Annotated[str, Field(min_length=1), AfterValidator(_registered)] = "two-tower"
    """Name of the registered model."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Level of the test by which a model has to beat the champion; below 0.0001, none can."""
