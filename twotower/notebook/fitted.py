"""The recommender that a fit returns."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from twotower.artifacts import ARTIFACTS, Artifacts, Id, load_artifacts
from twotower.assessment.assess import Assessment
from twotower.data.prepared import PREPARED
from twotower.ingest.titles import TITLES, item_titles
from twotower.serving import Recommender


class FittedRecommender(Recommender):
    """A recommender that knows how it did on the test split.

    Attributes:
        assessment: all of it, as the files of metrics/ have it.
    """

    def __init__(
        self, artifacts: Artifacts, titles: Mapping[Id, str], assessment: Assessment
    ) -> None:
        super().__init__(artifacts)
        self.titles = titles or None
        self.assessment = assessment

    @property
    def verdict(self) -> str:
        """The conclusion in a sentence; without test scores, why there are none."""
        verdict = self.assessment.verdict
        return str(verdict["sentence" if verdict["scored"] else "reason"])

    @property
    def scores(self) -> pd.DataFrame:
        """The objective on the test split: of the model, then of each baseline from the best on.

        Columns scorer, metric, value, low and high, the ends of 95 % intervals; empty without test
        scores.
        """
        return pd.DataFrame(self.assessment.bars)


def load_fitted(root: Path, assessment: Assessment) -> FittedRecommender:
    """The model of a folder, in memory: nothing of it is read from there any more."""
    artifacts = load_artifacts(root / ARTIFACTS, mmap=False)
    model = FittedRecommender(artifacts, item_titles(root / PREPARED / TITLES), assessment)
    model.warm_up()
    artifacts.weights  # noqa: B018 - read and cached, as the catalogue is by now
    return model
