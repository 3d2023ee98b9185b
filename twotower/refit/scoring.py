"""The final model, the default one and the baselines on the test split."""

from collections.abc import Callable, Mapping
from typing import Any

from twotower.assessment.assess import Assessment, assess, unscored
from twotower.assessment.scoreboard import Scoreboard, score_baselines
from twotower.baselines.plan import TrainingData
from twotower.common.errors import TrainingError
from twotower.common.files import canonical
from twotower.common.progress import part
from twotower.common.scorers import DEFAULT, MODEL
from twotower.common.seeds import derive_seed
from twotower.config import Config
from twotower.config.hyperparameters import hyperparameters
from twotower.data.prepared import SPLITS
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.item_groups import assessed_as, weights_of
from twotower.finetuning.start import against_anew
from twotower.refit.training_set import PreparedData, TrainingSet
from twotower.training.device import use_threads
from twotower.training.towers import TwoTower


def assess_model(
    config: Config,
    search: Mapping[str, Any],
    data: PreparedData,
    training: TrainingSet,
    model: TwoTower,
    *,
    say: Callable[[str], None],
) -> Assessment:
    """Score the model, the default model and the baselines on the test split.

    Args:
        config: all of params.yaml.
        search: content of hpo_results.json; its `best_params` are those of the model.
        data: all splits.
        training: what the model was trained on.
        model: trained.
        say: told beforehand of what will take a while.
    """
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
    config: Config, training: TrainingSet, board: Scoreboard, held_out: HeldOut
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
    training: TrainingSet,
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
