"""Sections `visualize` and `mlflow`: what is shown; nothing here changes what is computed."""

from typing import Literal

from twotower.config.base import Section


class VisualizeConfig(Section):
    """Section `visualize`."""

    static: Literal["auto", "always", "never"] = "auto"
    """PNG files beside the HTML; auto: where a Chrome or Chromium is found."""


class MlflowConfig(Section):
    """Section `mlflow`."""

    enabled: bool = False
    tracking_uri: str | None = None
    """null: sqlite:///mlflow.db in the repository."""
    experiment: str = "two-tower"
