"""Final training on all but the test split, and the one place where the test split is scored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.artifacts import ARTIFACTS, measure_index, write_artifacts
from twotower.baselines import Popularity
from twotower.common.errors import SearchError, TrainingError
from twotower.common.files import write_json
from twotower.config import Config
from twotower.config.load import hyperparameters, with_hyperparameters
from twotower.data.prepared import PREPARED, SPLITS, Catalogue, read_catalogue, read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.ranking import Scorer, VectorScorer
from twotower.training.fit import fit
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class RefitOutputs:
    """Where the files go; the defaults are those of dvc.yaml."""

    artifacts: Path = ARTIFACTS
    metrics: Path = Path("metrics/test.json")


def read_best_params(path: Path) -> dict[str, Any]:
    """Best hyperparameters in a results file of the search.

    Raises:
        SearchError: if it is missing or not a results file.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["best_params"])
    except FileNotFoundError:
        msg = f"{path}: no such file; run the hpo stage first (dvc repro hpo)"
        raise SearchError(msg) from None
    except (ValueError, KeyError, TypeError):
        msg = f"{path}: not a results file of the hpo stage; run it again (dvc repro -f -s hpo)"
        raise SearchError(msg) from None


@dataclass(frozen=True)
class _Data:
    """Rows to train on, and the users and items that get vectors."""

    catalogue: Catalogue
    rows: pd.DataFrame

    @classmethod
    def of(cls, catalogue: Catalogue, splits: Mapping[str, pd.DataFrame], *names: str) -> "_Data":
        frames = [splits[name] for name in names]
        return cls(catalogue.extend(*frames), pd.concat(frames, ignore_index=True))

    def fit(self, config: Config, params: Mapping[str, Any]) -> TwoTower:
        model_config, train_config = with_hyperparameters(config.model, config.train, params)
        rows = self.catalogue.encode(self.rows)
        return fit(self.catalogue, rows, model_config, train_config, seed=config.seed)


def refit(
    config: Config,
    best_params: Mapping[str, Any],
    prepared: Path = PREPARED,
    outputs: RefitOutputs | None = None,
) -> dict[str, Any]:
    """Train the final model, score it, and write it.

    Args:
        config: all of params.yaml.
        best_params: searched hyperparameters; those not named keep the values of `config`.
        prepared: folder that the prepare stage wrote.
        outputs: where the results go.

    Returns:
        The content of the metrics file.

    Raises:
        TrainingError: if the best hyperparameters diverge on train + validation.
        SearchError: if `best_params` names something that is no hyperparameter.
        DataError: if the prepared data is missing.
    """
    outputs = outputs or RefitOutputs()
    if unknown := sorted(set(best_params) - set(hyperparameters(config.model, config.train))):
        msg = f"hpo_results.json: best_params: {unknown[0]} is no hyperparameter; run hpo again"
        raise SearchError(msg)
    splits = {name: read_split(prepared / f"{name}.parquet") for name in SPLITS}
    vocabulary = read_catalogue(prepared / "vocabulary")
    known = _Data.of(vocabulary, splits, "train", "validation")
    model = known.fit(config, best_params)
    target = evaluation_set(known.catalogue, known.rows, splits["test"], config.evaluate)
    metrics = _score(config, known, model, target)
    trained_on = ["train", "validation"]
    shipped = known
    if config.refit.final == "all":
        trained_on = list(SPLITS)
        shipped = _Data.of(vocabulary, splits, *trained_on)
        model = shipped.fit(config, best_params)
    meta = _meta(config, best_params, shipped, metrics) | {
        "rows": {name: len(frame) for name, frame in splits.items()},
        "trained_on": [name for name in trained_on if len(splits[name])],
    }
    rows = shipped.catalogue.encode(shipped.rows)
    indexed = config.refit.index is not None
    write_artifacts(outputs.artifacts, model, shipped.catalogue, rows, meta, with_index=indexed)
    if indexed:
        metrics["index"] = measure_index(outputs.artifacts, config.evaluate.ks[-1])
    write_json(outputs.metrics, metrics)
    return metrics


def _score(
    config: Config,
    data: _Data,
    model: TwoTower,
    target: EvaluationSet,
) -> dict[str, Any]:
    """Test metrics of the best and the default model beside the references."""
    if not config.refit.score_test or not len(target):
        return {"scored": False}
    popularity = Popularity(data.catalogue.encode(data.rows), target.num_items)
    return {
        "default": _score_defaults(config, data, target),
        "evaluated": target.counts(),
        "optimized": _summary(VectorScorer(*model.vectors()), target, config),
        "popularity": _summary(popularity, target, config),
        "random": target.random(config.evaluate.ks),
        "scored": True,
    }


def _score_defaults(config: Config, data: _Data, target: EvaluationSet) -> dict[str, Any]:
    try:
        return _summary(VectorScorer(*data.fit(config, {}).vectors()), target, config)
    except TrainingError as error:  # a poor baseline must not cost the user the model
        return {"failure": str(error)}


def _summary(scorer: Scorer, target: EvaluationSet, config: Config) -> dict[str, float]:
    return evaluate(scorer, target, config.evaluate.ks).summary()


def _meta(
    config: Config, best_params: Mapping[str, Any], data: _Data, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    model_config, train_config = with_hyperparameters(config.model, config.train, best_params)
    return {
        "best_params": dict(best_params),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "final": config.refit.final,
        "metrics": {"test": metrics.get("optimized"), "test_users": metrics.get("evaluated")},
        "model": model_config.model_dump(mode="json"),
        "num_items": len(data.catalogue.items),
        "num_users": len(data.catalogue.users),
        "seed": config.seed,
        "train": train_config.model_dump(mode="json"),
    }
