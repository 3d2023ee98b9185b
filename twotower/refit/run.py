"""Final training on all but the test split, the test scores, and their files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.artifacts import ARTIFACTS, measure_index, write_artifacts
from twotower.assessment.assess import NUM_ASSESSED, Assessment
from twotower.assessment.model_card import CardFacts, model_card
from twotower.baselines.baseline import BASELINES, wanted_baselines
from twotower.common.bounded import one_line
from twotower.common.errors import SearchError
from twotower.common.files import check_seal, read_json
from twotower.common.progress import part
from twotower.common.scorers import MODEL
from twotower.config import Config
from twotower.config.indexes import INDEXES
from twotower.data.prepared import PREPARED, SPLITS
from twotower.finetuning.start import StartModel
from twotower.refit.scoring import assess_model
from twotower.refit.training_set import PreparedData, TrainingSet
from twotower.retrieval.approximate import check_installed
from twotower.training.towers import TwoTower


@dataclass(frozen=True)
class RefitOutputs:
    """Where the files go; the defaults are those of dvc.yaml.

    Attributes:
        artifacts: folder of the model.
        metrics: mean metrics on the test split; the other files of the assessment go beside it.
    """

    artifacts: Path = ARTIFACTS
    metrics: Path = Path("metrics/test.json")


def read_search(path: Path) -> dict[str, Any]:
    """Content of a results file of the search.

    Raises:
        SearchError: if it is missing or not a results file.
    """
    try:
        results = dict(read_json(path))
        check_seal(results)
        dict(results["best_params"])
    except FileNotFoundError:
        msg = f"{path}: no such file; run the hpo stage first (dvc repro hpo)"
        raise SearchError(msg) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path}: not a results file of the hpo stage ({one_line(error)}); run it again "
            "(dvc repro -f -s hpo)"
        )
        raise SearchError(msg) from None
    return results


def refit(
    config: Config,
    search: Mapping[str, Any],
    prepared: Path = PREPARED,
    outputs: RefitOutputs | None = None,
    decompositions: Path | None = None,
    *,
    start: StartModel | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Assessment:
    """Train the final model, score it, and write it.

    Args:
        config: all of params.yaml.
        search: content of hpo_results.json; hyperparameters that are not in its `best_params`
            have the values of `config`.
        prepared: folder that the prepare stage wrote.
        outputs: where the results go.
        decompositions: cache folder of spectral starts; None: they are computed again.
        start: model to continue from, with its hyperparameters instead of those of `search`.
        say: told beforehand of what will take a while.

    Returns:
        The assessment on the test split; without scores if there is no test split, or
        `refit.score_test` is false.

    Raises:
        TrainingError: if training with the best hyperparameters diverges on train + validation.
        SearchError: if `best_params` has an unknown hyperparameter.
        DataError: if the prepared data is missing.
        ConfigError: if there is to be an index that takes usearch, which is not installed; if test
            rows are in the training data of `start`, or it does not fit the data.
    """
    outputs = outputs or RefitOutputs()
    if config.refit.index:
        check_installed(INDEXES[config.refit.index].dtype)
    if start is not None:
        search = {**search, "best_params": start.record.finetuned, "best_trial": None}
    best_params: dict[str, Any] = dict(search["best_params"])
    if unknown := sorted(set(best_params) - config.search_space.defaults.keys()):
        msg = f"hpo_results.json: best_params: unknown hyperparameter {unknown[0]}; run hpo again"
        raise SearchError(msg)
    data = PreparedData(prepared, decompositions, start)
    if start is not None:
        start.check_unseen(data.splits)
    trained_on = ["train", "validation_history", "validation"]
    training = data.training_set(*trained_on)
    with part("final model"):
        model = training.fit(config, best_params)
    assessment = assess_model(config, search, data, training, model, say=say)
    if config.refit.final == "all":
        trained_on += ["test_history", "test"]
        training = data.training_set(*trained_on)
        with part("final model on all splits"):
            model = training.fit(config, best_params)
    meta = _meta(config, best_params, training, assessment, model) | {
        "rows": {n: len(rows) for n, rows in data.splits.items() if n in SPLITS or len(rows)},
        "trained_on": [name for name in trained_on if name in data.not_empty()],
    }
    catalogue, rows = training.catalogue, training.encoded()
    if start is not None:
        moved = start.drift(model, catalogue, seed=config.seed)
        meta["start"] = start.record.told
        assessment.metrics.setdefault("finetuning", {})["drift"] = moved
    index = config.refit.index and INDEXES[config.refit.index].dtype
    facts = CardFacts(config, search, data.not_empty(), catalogue, meta, rows, assessment)
    with part("files"):
        write_artifacts(
            outputs.artifacts, model, catalogue, rows, meta, index=index, card=model_card(facts)
        )
        if index:
            assessment.metrics["index"] = measure_index(outputs.artifacts, config.evaluate.ks[-1])
        assessment.write(outputs.metrics)
    return assessment


def num_parts(config: Config, *, finetunes: bool = False) -> int:
    """How many parts of a refit are shown: the model and its files, and what it is scored beside.

    Of a model that is the default one, or data without a test split, it shows fewer.
    """
    parts = 3 if config.refit.final == "all" else 2
    if not config.refit.score_test:
        return parts
    parts += finetunes
    baselines = len(wanted_baselines(config.refit.extra_baselines))
    if config.reports_item_groups:
        baselines += sum(1 for row in BASELINES.values() if row.kinds)
    return parts + config.refit.seeds + baselines + NUM_ASSESSED


def _meta(
    config: Config,
    best_params: Mapping[str, Any],
    training: TrainingSet,
    assessment: Assessment,
    model: TwoTower,
) -> dict[str, Any]:
    model_config, train_config = config.search_space.sections(best_params)
    return {
        "best_params": dict(best_params),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "final": config.refit.final,
        "metrics": {"test": assessment.metrics.get(MODEL), "test_users": assessment.counts},
        "model": model_config.model_dump(mode="json"),
        "num_items": len(training.catalogue.items),
        "num_users": len(training.catalogue.users),
        "seed": config.seed,
        "train": train_config.model_dump(mode="json") | {"device": model.device.type},
    }
