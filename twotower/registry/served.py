"""The registered model, as code that MLflow runs when it loads it; not imported otherwise."""

from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from twotower import Recommender
from twotower.common.errors import RequestError


class RecommenderModel(PythonModel):
    """Recommendations for users by id; for those it does not know, popular items."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the model folder; its arrays are read where they are used."""
        self._recommender = Recommender.load(context.artifacts["recommender"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """A row for each user of the request, in its order.

        Args:
            context: unused.
            model_input: a data frame with user_id.
            params: k, the number of items; exclude_seen, whether to leave out known items.

        Returns:
            user_id, items and scores (lists, best first), source.

        Raises:
            MlflowException: if an id is of the wrong type or k below 1; the server answers 400.
        """
        del context
        options = params or {}
        try:
            answer = self._recommender.recommend(model_input["user_id"].tolist(), **options)
        except RequestError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        columns = ["user_id", "items", "scores", "source"]
        return pd.DataFrame(list(answer.rows()), columns=columns)


set_model(RecommenderModel())
