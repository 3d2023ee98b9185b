"""Final training on all but the test split, and the one place where the test split is scored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.artifacts import ARTIFACTS, measure_index, write_artifacts
from twotower.assessment.assess import Assessment, assess, unscored
from twotower.assessment.encoded_splits import EncodedSplits
from twotower.assessment.scoreboard import DEFAULT, Scoreboard, Task, score_references
from twotower.assessment.verdict import MODEL
from twotower.baselines.table import TrainingRows
from twotower.common.errors import SearchError, TrainingError
from twotower.common.files import canonical
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.params import hyperparameters, with_hyperparameters
from twotower.data.interactions import Interactions
from twotower.data.prepared import PREPARED, SPLITS, Catalogue, read_catalogue, read_split
from twotower.evaluation.evaluate import Evaluation, evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.training.device import use_threads
from twotower.training.fit import fit
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class RefitOutputs:
    """Where the files go; the defaults are those of dvc.yaml.

    Attributes:
        artifacts: folder of the model.
        metrics: mean metrics; what else is said of the test split goes beside it.
    """

    artifacts: Path = ARTIFACTS
    metrics: Path = Path("metrics/test.json")


def read_search(path: Path) -> dict[str, Any]:
    """Content of a results file of the search.

    Raises:
        SearchError: if it is missing or not a results file.
    """
    try:
        results = dict(json.loads(path.read_text(encoding="utf-8")))
        dict(results["best_params"])
    except FileNotFoundError:
        msg = f"{path}: no such file; run the hpo stage first (dvc repro hpo)"
        raise SearchError(msg) from None
    except (ValueError, KeyError, TypeError):
        msg = f"{path}: not a results file of the hpo stage; run it again (dvc repro -f -s hpo)"
        raise SearchError(msg) from None
    return results


@dataclass(frozen=True)
class _Data:
    """Rows to train on, and the users and items that get vectors."""

    catalogue: Catalogue
    rows: pd.DataFrame
    decompositions: Path | None

    def fit(self, config: Config, params: Mapping[str, Any], seed: int | None = None) -> TwoTower:
        model_config, train_config = with_hyperparameters(config.model, config.train, params)
        seed = config.seed if seed is None else seed  # decompositions of others are not kept
        return fit(
            self.catalogue,
            self.encoded(),
            model_config,
            train_config,
            seed=seed,
            decompositions=self.decompositions if seed == config.seed else None,
        )

    def encoded(self) -> Interactions:
        return self.catalogue.encode(self.rows)

    def training_rows(self) -> TrainingRows:
        return TrainingRows(self.encoded(), len(self.catalogue.users), len(self.catalogue.items))


class _Prepared:
    """What the prepare stage wrote."""

    def __init__(self, folder: Path, decompositions: Path | None) -> None:
        self._decompositions = decompositions
        self.splits = {name: read_split(folder / f"{name}.parquet") for name in SPLITS}
        self.vocabulary = read_catalogue(folder / "vocabulary")

    def data(self, *names: str) -> _Data:
        frames = [self.splits[name] for name in names]
        catalogue = self.vocabulary.extend(*frames)
        return _Data(catalogue, pd.concat(frames, ignore_index=True), self._decompositions)


def refit(
    config: Config,
    search: Mapping[str, Any],
    prepared: Path = PREPARED,
    outputs: RefitOutputs | None = None,
    decompositions: Path | None = None,
) -> Assessment:
    """Train the final model, score it, and write it.

    Args:
        config: all of params.yaml.
        search: content of hpo_results.json; hyperparameters that its `best_params` does not name
            keep the values of `config`.
        prepared: folder that the prepare stage wrote.
        outputs: where the results go.
        decompositions: folder that keeps spectral starts; None: they are computed again.

    Returns:
        What the test split says; without any scores if there is none, or none is wanted.

    Raises:
        TrainingError: if the best hyperparameters diverge on train + validation.
        SearchError: if `best_params` names something that is no hyperparameter.
        DataError: if the prepared data is missing.
    """
    outputs = outputs or RefitOutputs()
    best_params: dict[str, Any] = dict(search["best_params"])
    if unknown := sorted(set(best_params) - set(hyperparameters(config.model, config.train))):
        msg = f"hpo_results.json: best_params: {unknown[0]} is no hyperparameter; run hpo again"
        raise SearchError(msg)
    there = _Prepared(prepared, decompositions)
    known = there.data("train", "validation")
    model = known.fit(config, best_params)
    assessment = _assess(config, search, there, known, model)
    trained_on = ["train", "validation"]
    shipped = known
    if config.refit.final == "all":
        trained_on = list(SPLITS)
        shipped = there.data(*trained_on)
        model = shipped.fit(config, best_params)
    meta = _meta(config, best_params, shipped, assessment) | {
        "rows": {name: len(frame) for name, frame in there.splits.items()},
        "trained_on": [name for name in trained_on if len(there.splits[name])],
    }
    rows = shipped.catalogue.encode(shipped.rows)
    indexed = config.refit.index is not None
    write_artifacts(outputs.artifacts, model, shipped.catalogue, rows, meta, with_index=indexed)
    if indexed:
        assessment.metrics["index"] = measure_index(outputs.artifacts, config.evaluate.ks[-1])
    assessment.write(outputs.metrics)
    return assessment


def _assess(
    config: Config, search: Mapping[str, Any], there: _Prepared, known: _Data, model: TwoTower
) -> Assessment:
    """The model, the default one and the references on the test split."""
    test, validation = there.splits["test"], there.splits["validation"]
    if not config.refit.score_test:
        return unscored("refit.score_test is false", known.catalogue)
    exclude_seen = config.evaluate.exclude_seen
    target = evaluation_set(known.catalogue, known.rows, test, exclude_seen=exclude_seen)
    if not len(target):
        why = "no test user has a new item to find" if len(test) else "there is no test split"
        return unscored(why, known.catalogue)
    use_threads(config.train.threads)
    # The objective is no parameter of this stage: hpo_results.json changes with it.
    task = Task(known.training_rows(), target, config.hpo.objective, config.evaluate.ks)
    board = Scoreboard(task)
    _score_models(board, config, search["best_params"], known, model)
    train = there.data("train")
    choosing = evaluation_set(train.catalogue, train.rows, validation, exclude_seen=exclude_seen)
    score_references(board, train.training_rows(), choosing)
    encode = known.catalogue.encode
    rows = EncodedSplits(
        train=encode(there.splits["train"]),
        validation=encode(validation),
        test=encode(test),
        known=task.known.interactions,
        num_users=task.known.num_users,
        num_items=task.known.num_items,
    )
    return assess(board, rows, known.catalogue, test, search, seed=config.seed)


def _score_models(
    board: Scoreboard, config: Config, best_params: Mapping[str, Any], known: _Data, model: TwoTower
) -> None:
    """Add the model, itself with other seeds, and the default one."""
    board.evaluations[MODEL] = _evaluate(board.task, model)
    board.seeds.append(board.evaluations[MODEL])
    # Without epochs too: the start's decomposition is randomised, and far from exact.
    for number in range(1, config.refit.seeds):
        try:
            other = known.fit(config, best_params, derive_seed(config.seed, "refit", number))
            board.seeds.append(_evaluate(board.task, other))
        except TrainingError:
            board.num_diverged += 1
    # The width of the decomposition belongs to the search space, and so to both models.
    shared = {k: v for k, v in best_params.items() if k == "spectral_rank"}
    defaults = {**hyperparameters(config.model, config.train), **shared}
    board.default_differs = canonical(defaults) != canonical({**defaults, **best_params})
    if not board.default_differs:
        board.evaluations[DEFAULT] = board.evaluations[MODEL]
        return
    try:
        board.evaluations[DEFAULT] = _evaluate(board.task, known.fit(config, shared))
    except TrainingError as error:  # a poor baseline must not cost the user the model
        board.failures[DEFAULT] = str(error)


def _evaluate(task: Task, model: TwoTower) -> Evaluation:
    return evaluate(VectorScorer(*model.vectors()), task.target, task.ks)


def _meta(
    config: Config, best_params: Mapping[str, Any], data: _Data, assessment: Assessment
) -> dict[str, Any]:
    model_config, train_config = with_hyperparameters(config.model, config.train, best_params)
    return {
        "best_params": dict(best_params),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "final": config.refit.final,
        "metrics": {"test": assessment.metrics.get(MODEL), "test_users": assessment.counts},
        "model": model_config.model_dump(mode="json"),
        "num_items": len(data.catalogue.items),
        "num_users": len(data.catalogue.users),
        "seed": config.seed,
        "train": train_config.model_dump(mode="json"),
    }
