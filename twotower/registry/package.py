"""A model folder as an MLflow pyfunc: code, signature, input example, pinned requirements."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import twotower
from twotower.artifacts import Artifacts, copy_model, verify_artifacts
from twotower.common.folders import copy_files
from twotower.common.sources import SHIPPED
from twotower.registry import training_rows

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

MODEL_CODE = Path(__file__).with_name("pyfunc_model.py")
FOLDER = "recommender"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pyarrow")
"""What serving needs; training needs more."""
EXAMPLE_USERS = 2
DEFAULTS: dict[str, Any] = {"k": 10, "exclude_seen": True, "diversity": 0.0, "max_per": []}


@contextmanager
def package(artifacts: Artifacts, trained_on: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Arguments of `mlflow.pyfunc.log_model`; the files exist until the context ends.

    Args:
        artifacts: of the model.
        trained_on: its training rows, whose hashes are stored with it.
    """
    users = artifacts.user_ids.decode(np.arange(min(EXAMPLE_USERS, len(artifacts.user_ids))))
    with tempfile.TemporaryDirectory(prefix="twotower-") as name:
        folder = Path(name)
        copy_model(artifacts, folder / FOLDER)
        verify_artifacts(folder / FOLDER)  # what is uploaded is what was opened
        training_rows.write_training_rows(folder / training_rows.FILE, trained_on)
        code = folder / "twotower"
        copy_files(Path(twotower.__file__).parent, code, "__pycache__", SHIPPED.name)
        yield {
            "python_model": str(MODEL_CODE),
            "artifacts": {FOLDER: str(folder / FOLDER), "rows": str(folder / training_rows.FILE)},
            "code_paths": [str(code)],
            "signature": signature(is_text=not artifacts.user_ids.integers),
            "input_example": (pd.DataFrame({"user_id": users}), DEFAULTS),
            "pip_requirements": [f"{name}=={version(name)}" for name in REQUIREMENTS],
        }


def signature(*, is_text: bool) -> "ModelSignature":
    """The model's inputs, outputs and parameters.

    Args:
        is_text: whether ids are strings rather than integers.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    key = DataType.string if is_text else DataType.long
    return ModelSignature(
        inputs=Schema([ColSpec(key, "user_id")]),
        outputs=Schema(
            [
                ColSpec(key, "user_id"),
                ColSpec(Array(key), "items"),
                ColSpec(Array(DataType.double), "scores"),
                ColSpec(DataType.string, "source"),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("k", DataType.long, DEFAULTS["k"]),
                ParamSpec("exclude_seen", DataType.boolean, DEFAULTS["exclude_seen"]),
                ParamSpec("diversity", DataType.double, DEFAULTS["diversity"]),
                ParamSpec("max_per", DataType.string, DEFAULTS["max_per"], shape=(-1,)),
            ]
        ),
    )
