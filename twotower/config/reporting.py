"""Sections `visualize` and `mlflow`: what is shown; nothing here changes what is computed."""

from typing import Annotated, Literal

from pydantic import Field

from twotower.config.section import Section


class VisualizeConfig(Section):
    """Section `visualize`: the plots."""

    static: Literal["auto", "always", "never"] = "auto"
    """PNG files beside the HTML; auto: where a Chrome or Chromium is found."""


class MlflowConfig(Section):
    """Section `mlflow`: tracking of trials, and the registry of models."""

    enabled: bool = False
    """Whether trials are logged to MLflow."""
    tracking_uri: str | None = None
    """null: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the repository."""
    experiment: Annotated[str, Field(min_length=1)] = "two-tower"
    """Name of the MLflow experiment."""
    model: Annotated[str, Field(min_length=1)] = "two-tower"
    """Name of the registered model."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Level of the test by which a model has to beat the champion; below 0.0001, none can."""
