"""The registered model as code, which MLflow runs to load it; nothing else imports it."""

from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from twotower import Recommender
from twotower.common.errors import RequestError
from twotower.retrieval.rerank import parse_caps


class RecommenderModel(PythonModel):
    """Recommends items to users by id; popular items to users that the model does not have."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the model folder; its arrays are memory-mapped."""
        self._recommender = Recommender.load(context.artifacts["recommender"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Recommend items to each user of the request, in its order.

        Args:
            context: unused.
            model_input: a column user_id.
            params: k, the number of items; exclude_seen, whether to leave out items of the
                user's history; diversity, from 0 to 1; max_per, a list of texts such as "brand=2".

        Returns:
            A row per user: user_id, items and scores (lists, best first), source.

        Raises:
            MlflowException: if an id is of the wrong type or a parameter out of range; the server
                responds with status 400.
        """
        del context
        options = dict(params or {})
        try:
            options["max_per"] = parse_caps(options.get("max_per", ()))
            answer = self._recommender.recommend(model_input["user_id"].tolist(), **options)
        except RequestError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        columns = ["user_id", "items", "scores", "source"]
        return pd.DataFrame(list(answer.rows()), columns=columns)


set_model(RecommenderModel())
