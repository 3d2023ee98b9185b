from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModelContext

from tests.serving.conftest import LINE, write_model
from twotower.data.features import Categorical, Features
from twotower.registry.package import DEFAULTS
from twotower.registry.pyfunc_model import RecommenderModel


def test_what_can_be_asked_and_what_is_refused(tmp_path: Path) -> None:
    brands = Features({"brand": Categorical(np.array([1, 1, 2, 1, 1]), ("x", "y"))})
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [], features=brands)
    context = PythonModelContext({"recommender": str(folder)}, {})
    model, users = RecommenderModel(), pd.DataFrame({"user_id": [100]})
    model.load_context(context)

    def items(params: dict[str, Any] | None) -> Any:
        return model.predict(context, users, params)["items"].tolist()

    assert items(None) == items(DEFAULTS) == [[1004, 1003, 1002, 1001, 1000]]
    assert items({"k": 2, "diversity": 0.5, "max_per": ["brand=1"]}) == [[1004, 1002]]
    for params in ({"k": 0}, {"diversity": 2.0}, {"max_per": ["brand"]}, {"max_per": ["size=1"]}):
        with pytest.raises(MlflowException, match="must be"):
            items(params)
