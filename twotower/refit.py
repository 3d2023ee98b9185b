"""Final training on all but the test split, and the one place where the test split is scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twotower.artifacts import ARTIFACTS, measure_index, write_artifacts
from twotower.assessment.assess import NUM_ASSESSED, Assessment, assess, unscored
from twotower.assessment.clusters import read_clusters
from twotower.assessment.model_card import CardFacts, model_card
from twotower.assessment.scoreboard import Scoreboard, score_baselines
from twotower.baselines.baseline import BASELINES, wanted_baselines
from twotower.baselines.plan import TrainingData
from twotower.common.arrays import Int64Array
from twotower.common.bounded import one_line
from twotower.common.errors import SearchError, TrainingError
from twotower.common.files import canonical, check_seal, read_json
from twotower.common.progress import part
from twotower.common.scorers import DEFAULT, MODEL
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.hyperparameters import hyperparameters
from twotower.config.indexes import INDEXES
from twotower.data.interactions import Interactions
from twotower.data.prepared import PREPARED, SPLITS, Catalogue, read_catalogue, read_parts
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.item_groups import assessed_as, weights_of
from twotower.finetuning.start import StartModel, against_anew
from twotower.retrieval.approximate import check_installed
from twotower.training.device import use_threads
from twotower.training.fit import fit
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


@dataclass(frozen=True)
class _TrainingSet:
    """Splits to train on, the users and items that get vectors, and what training goes on from."""

    catalogue: Catalogue
    rows: pd.DataFrame
    decompositions: Path | None
    start: StartModel | None

    def fit(
        self,
        config: Config,
        params: Mapping[str, Any],
        seed: int | None = None,
        *,
        anew: bool = False,
    ) -> TwoTower:
        model_config, train_config = config.search_space.sections(params)
        seed = config.seed if seed is None else seed
        start = None if anew else self.start
        model = fit(
            self.catalogue,
            self.encoded(),
            model_config,
            train_config,
            seed=seed,
            # Decompositions of further seeds are not worth keeping.
            decompositions=self.decompositions if seed == config.seed else None,
            begin=start.begin(self.catalogue) if start else None,
        )
        if start is not None:
            start.align(model, self.catalogue)
        return model

    def encoded(self) -> Interactions:
        return self.catalogue.encode(self.rows)

    def data(self) -> TrainingData:
        users, items = self.catalogue.users, self.catalogue.items
        return TrainingData(self.encoded(), len(users), len(items), items.features)


class _PreparedData:
    """The splits and the vocabulary that the prepare stage wrote."""

    def __init__(self, folder: Path, decompositions: Path | None, start: StartModel | None) -> None:
        self._folder, self._decompositions, self._start = folder, decompositions, start
        self.splits = read_parts(folder)
        self.vocabulary = read_catalogue(folder / "vocabulary")

    def training_set(self, *names: str) -> _TrainingSet:
        frames = [self.splits[name] for name in names]
        catalogue = self.vocabulary.extend(*frames)
        rows = pd.concat(frames, ignore_index=True)
        return _TrainingSet(catalogue, rows, self._decompositions, self._start)

    def not_empty(self) -> dict[str, pd.DataFrame]:
        return {name: rows for name, rows in self.splits.items() if len(rows)}

    def clusters(self, catalogue: Catalogue, column: str | None) -> Int64Array | None:
        return read_clusters(self._folder, catalogue.users.vocabulary.ids, column)

    def held_out(self, name: str, training: _TrainingSet, *, exclude_seen: bool) -> HeldOut:
        return HeldOut.of(
            training.catalogue,
            training.rows,
            self.splits[f"{name}_history"],
            self.splits[name],
            exclude_seen=exclude_seen,
        )


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
    data = _PreparedData(prepared, decompositions, start)
    if start is not None:
        start.check_unseen(data.splits)
    trained_on = ["train", "validation_history", "validation"]
    training = data.training_set(*trained_on)
    with part("final model"):
        model = training.fit(config, best_params)
    assessment = _assess(config, search, data, training, model, say=say)
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
        meta["start"] = {"model": start.record.model, "version": start.record.version}
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


def _assess(
    config: Config,
    search: Mapping[str, Any],
    data: _PreparedData,
    training: _TrainingSet,
    model: TwoTower,
    *,
    say: Callable[[str], None],
) -> Assessment:
    """The model, the default model and the baselines on the test split."""
    catalogue, test = training.catalogue, data.splits["test"]
    if not config.refit.score_test:
        return unscored("refit.score_test is false", catalogue)
    exclude_seen = config.evaluate.exclude_seen
    held_out = data.held_out("test", training, exclude_seen=exclude_seen)
    targets = held_out.groups(config)
    metric, group = assessed_as(config.hpo.objective)
    target = targets.get(group.name)
    if target is None:
        return unscored(f"the test split has none of the {group.summary} to find", catalogue)
    if not len(target):
        no_users = "no user of the test split has a relevant item that is not masked"
        return unscored(no_users if len(test) else "there is no test split", catalogue)
    use_threads(config.train.threads)
    board = Scoreboard(
        training=training.data(),
        splits={name: catalogue.encode(data.splits[name]) for name in SPLITS},
        target=target,
        # No parameter of this stage in dvc.yaml: hpo_results.json changes with it.
        objective=metric,
        ks=config.evaluate.ks,
        folded_in=_folded_in(held_out),
        user_clusters=data.clusters(held_out.catalogue, config.evaluate.cluster),
    )
    board.groups = {name: board.of_group(part) for name, part in targets.items() if name != "all"}
    _score_models(board, config, search["best_params"], training, model, held_out=held_out)
    train = data.training_set("train")
    choosing = data.held_out("validation", train, exclude_seen=exclude_seen)
    choices = choosing.groups(config)
    score_baselines(
        board,
        train.data(),
        choices.get(group.name, choosing.target),
        config.refit,
        cold=choices.get("cold"),
        seed=config.seed,
        say=say,
        new=_folded_in(choosing),
    )
    assessed = assess(
        board, held_out.catalogue, test, _comparable(search, config), seed=config.seed
    )
    if training.start is not None:
        assessed.metrics["finetuning"] = {
            "against_anew": _against_anew(config, training, board, held_out)
        }
    return assessed


def _against_anew(
    config: Config, training: _TrainingSet, board: Scoreboard, held_out: HeldOut
) -> dict[str, Any] | None:
    """The start model's hyperparameters trained from nothing; None if that diverges."""
    params = training.start.record.params if training.start else {}
    with part("trained anew, to compare"):
        try:
            model = training.fit(config, params, anew=True)
        except TrainingError:
            return None
        scorer = held_out.scorer(model, config.search_space.sections(params)[0])
        return against_anew(board, scorer, seed=config.seed)


def _folded_in(held_out: HeldOut) -> TrainingData | None:
    if held_out.folded_in is None:
        return None
    users, items = len(held_out.catalogue.users), len(held_out.catalogue.items)
    return TrainingData(held_out.folded_in, users, items)


def _comparable(search: Mapping[str, Any], config: Config) -> Mapping[str, Any]:
    """The results of a search, with what test scores of the metric alone can be compared with."""
    objective = config.hpo.objective
    metric, _ = assessed_as(objective)
    if len(weights_of(objective)) > 1:
        return {**search, "best_trial": None, "confirm": None}
    random = search.get("random", {})
    return {**search, "random": {**random, metric: random.get(objective)}}


def _score_models(
    board: Scoreboard,
    config: Config,
    best_params: Mapping[str, Any],
    training: _TrainingSet,
    model: TwoTower,
    *,
    held_out: HeldOut,
) -> None:
    """Add the model, its further training seeds, and the default model."""
    sections = config.search_space.sections
    best_config, default_config = sections(best_params)[0], sections({})[0]
    scorer = held_out.scorer(model, best_config)
    board.add(MODEL, scorer)
    for one in board.boards:
        one.seeds.append(one.evaluations[MODEL])
    # Without epochs too: the start's decomposition is randomised, and far from exact.
    for number in range(1, config.refit.seeds):
        with part(f"training seed {number + 1} of {config.refit.seeds}"):
            try:
                other = training.fit(config, best_params, derive_seed(config.seed, "refit", number))
                board.add_seed(held_out.scorer(other, best_config))
            except TrainingError:
                board.num_diverged += 1
    default, best = (canonical(hyperparameters(*sections(p))) for p in ({}, best_params))
    for one in board.boards:
        one.default_differs = default != best or training.start is not None
        if not one.default_differs:
            one.evaluations[DEFAULT] = one.evaluations[MODEL]
    if not board.default_differs:
        return
    with part("default hyperparameters"):
        try:
            default_model = training.fit(config, {}, anew=True)
            board.add(DEFAULT, held_out.scorer(default_model, default_config))
        except TrainingError as error:  # a poor baseline must not cost the user the model
            board.failures[DEFAULT] = str(error)


def _meta(
    config: Config,
    best_params: Mapping[str, Any],
    training: _TrainingSet,
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
