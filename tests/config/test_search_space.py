from typing import Any

import pytest

from twotower.common.errors import ConfigError
from twotower.config import Config, SearchSpace, parse_config

LOSS = {"type": "categorical", "choices": ["softmax", "mse"]}
LOGQ = {"type": "categorical", "choices": [True, False], "only_if": {"loss": "softmax"}}
TEMPERATURE = {"type": "float", "low": 0.05, "high": 1, "log": True}
LR = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}


def config(space: dict[str, Any], fixed: dict[str, Any] | None = None, **sections: Any) -> Config:
    return parse_config({"hpo": {"search_space": space, "fixed": fixed or {}}, **sections})


def space_of(*settings: Any, **sections: Any) -> SearchSpace:
    return config(*settings, **sections).search_space


def test_without_conditions_the_order_is_alphabetical() -> None:
    found = space_of({"lr": LR, "loss": LOSS})
    assert list(found.searched) == ["loss", "lr"]
    assert found.conditions == {}


def test_parents_come_before_what_depends_on_them() -> None:
    chain = {
        "batch_size": {"type": "categorical", "choices": [128, 256], "only_if": {"logq": True}},
        "logq": LOGQ,
        "loss": LOSS,
        "lr": LR,
    }
    found = space_of(chain)
    assert list(found.searched) == ["loss", "lr", "logq", "batch_size"]
    assert found.conditions == {"logq": {"loss": ("softmax",)}, "batch_size": {"logq": (True,)}}
    # A chain breaks at its first link: without logq there is no batch_size either.
    values = {"loss": "mse", "lr": 0.01, "logq": True, "batch_size": 128}
    assert found.present(values) == {"loss": "mse", "lr": 0.01}
    assert found.present(values | {"loss": "softmax"}) == values | {"loss": "softmax"}
    assert "batch_size" not in found.present(values | {"loss": "softmax", "logq": False})


def test_all_conditions_must_hold_and_one_value_each_is_enough() -> None:
    only_if = {"loss": "softmax", "similarity": ["cosine", "dot"]}
    similarity = {"type": "categorical", "choices": ["cosine", "dot"]}
    found = space_of({"loss": LOSS, "similarity": similarity, "logq": LOGQ | {"only_if": only_if}})
    assert found.is_set("logq", {"loss": "softmax", "similarity": "dot"})
    assert not found.is_set("logq", {"loss": "mse", "similarity": "dot"})


@pytest.mark.parametrize(
    ("fixed", "sections", "left"),
    [
        ({}, {}, ["lr", "temperature"]),
        ({"similarity": "dot"}, {}, ["lr"]),
        ({}, {"model": {"similarity": "dot"}}, ["lr"]),
        ({"similarity": "cosine"}, {"model": {"similarity": "dot"}}, ["lr", "temperature"]),
        ({"lr": 0.01}, {}, ["temperature"]),
    ],
)
def test_a_constant_parent_decides_at_once(fixed: Any, sections: Any, left: list[str]) -> None:
    space = {"lr": LR, "temperature": TEMPERATURE | {"only_if": {"similarity": "cosine"}}}
    found = space_of(space, fixed, **sections)
    assert list(found.searched) == left
    assert found.conditions == {}


def test_what_depends_on_a_ruled_out_parameter_is_ruled_out() -> None:
    space = {
        "lr": LR | {"only_if": {"logq": True}},
        "logq": LOGQ,
        "dim": {"type": "int", "low": 8, "high": 64},
    }
    assert list(config(space, {"loss": "mse"}).search_space.searched) == ["dim"]


def test_pinned_values_have_the_type_that_training_uses() -> None:
    written = {"lr": "1e-06", "epochs": "5", "dim": 16.0, "hidden": [64, 32], "logq": False}
    used = space_of({"batch_size": {"type": "int", "low": 1, "high": 512}}, written).fixed
    assert used == {"lr": 1e-6, "epochs": 5, "dim": 16, "hidden": [64, 32], "logq": False}
    assert [type(used[name]) for name in ("lr", "epochs", "dim")] == [float, int, int]


def test_a_pinned_name_may_stay_in_the_space() -> None:
    settings = config({"lr": LR, "loss": LOSS}, {"loss": "mse"})
    assert list(settings.search_space.searched) == ["lr"]
    assert "loss" in settings.hpo.search_space
    assert not settings.search_space.starts_with_defaults
    assert space_of({"lr": LR, "loss": LOSS}, {"loss": "softmax"}).starts_with_defaults


@pytest.mark.parametrize(
    ("space", "fixed", "words"),
    [
        (
            {"lr": LR | {"only_if": {"los": "mse"}}},
            {},
            ["lr.only_if.los", "neither a hyperparameter"],
        ),
        ({"lr": LR | {"only_if": {"loss": "mae"}}}, {}, ["lr.only_if.loss", "mae"]),
        ({"lr": LR | {"only_if": {"loss": []}}}, {}, ["lr.only_if.loss", "at least 1"]),
        (
            {"lr": LR | {"only_if": {"dim": 4}}, "dim": {"type": "int", "low": 8, "high": 64}},
            {},
            ["lr.only_if.dim", "does not contain 4"],
        ),
        (
            {"temperature": TEMPERATURE | {"only_if": {"lr": 0.01}}, "lr": LR},
            {},
            ["temperature.only_if.lr", "continuous range, and never 0.01"],
        ),
        (
            {"loss": LOSS | {"only_if": {"logq": True}}, "logq": LOGQ, "lr": LR},
            {},
            ["form a cycle: logq, loss"],
        ),
        ({"lr": LR}, {"lr": 0.01}, ["leave nothing to search"]),
        ({"lr": LR}, {"los": "mse"}, ["hpo.fixed.los", "not a hyperparameter"]),
        ({"lr": LR}, {"loss": "mae"}, ["hpo.fixed.loss", "mae"]),
        ({"lr": LR}, {"epochs": -1}, ["hpo.fixed.epochs", "greater than or equal to 0"]),
        ({"lr": LR}, {"epochs": 2.5}, ["hpo.fixed.epochs", "2.5"]),
        ({"lr": LR}, {"dim": None}, ["hpo.fixed.dim: must be a finite number", "got None"]),
        ({"lr": LR}, {"dim": "nan"}, ["hpo.fixed.dim: must be a finite number", "got 'nan'"]),
        ({"lr": LR}, {"patience": None}, ["hpo.fixed.patience", "got None"]),
        (
            {"lr": LR | {"only_if": {"init": "svd"}}, "dim": {"type": "int", "low": 8, "high": 64}},
            {"init": "ridge"},
            ["lr.only_if.init: must be one of random, spectral, ridge, got 'svd'"],
        ),
        (
            {"lr": LR, "loss": {"type": "categorical", "choices": ["mse", "mae"]}},
            {"loss": "mse"},
            ["search_space.loss: must be one of", "got 'mae'"],
        ),
        ({"lr": LR}, {"threads": 2}, ["hpo.fixed.threads", "not a hyperparameter"]),
    ],
)
def test_broken_rules_are_named(space: Any, fixed: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(space, fixed)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_default_counts_only_where_trial_0_has_the_parameter() -> None:
    narrow = {"type": "float", "low": 0.2, "high": 1}  # the default temperature is 0.1
    with pytest.raises(ConfigError, match=r"the default 0\.1 lies outside"):
        config({"lr": LR, "temperature": narrow})
    config({"lr": LR, "temperature": narrow | {"only_if": {"similarity": "dot"}}})
    config({"lr": LR, "temperature": narrow}, {"temperature": 0.1})
    for name in ("history_half_life", "patience"):  # which are null, so that nothing is done
        with pytest.raises(ConfigError, match="the default None lies outside"):
            config({name: {"type": "int", "low": 1, "high": 9}})


@pytest.mark.parametrize(
    ("hpo", "words"),
    [
        ({"sampler": "grid"}, ["hpo.sampler", "grid keeps its place outside the trials", "tpe"]),
        ({"sampler": "qmc"}, ["outside the trials"]),
        ({"sampler": "brute_force"}, ["outside the trials"]),
        ({"sampler": "nsgaii"}, ["is called nsga2 here"]),
        ({"sampler": "bayes"}, ["must be one of tpe, random, gp, cmaes", "'bayes'"]),
        (
            {"sampler": {"type": "tpe", "n_startup": 3}},
            ["did you mean n_startup_trials?"],
        ),
        ({"sampler": {"n_startup_trials": 3}}, ["must be one of tpe", "None"]),
        ({"pruner": "wilcoxon"}, ["hpo.pruner", "epochs of one training are not independent"]),
        ({"pruner": "threshold"}, ["fixed bound"]),
        ({"pruner": "patient"}, ["plateau"]),
        ({"pruner": "tpe"}, ["must be one of none, median, hyperband, successive_halving"]),
        ({"pruner": {"type": "hyperband", "reduction_factor": 1}}, ["hpo.pruner.reduction_factor"]),
    ],
)
def test_refused_samplers_and_pruners_say_why(hpo: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"hpo": hpo})
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_name_alone_stands_for_its_defaults() -> None:
    short = parse_config({"hpo": {"sampler": "gp", "pruner": "median"}})
    long = parse_config({"hpo": {"sampler": {"type": "gp"}, "pruner": {"type": "median"}}})
    assert short == long
    assert parse_config({"hpo": {"pruner": None}}).hpo.pruner.type == "none"


def test_a_spectral_start_is_as_wide_as_what_is_searched() -> None:
    dim = {"dim": {"type": "int", "low": 8, "high": 64}, "lr": LR}
    spectral = {"model": {"init": "spectral"}}
    assert space_of(dim, **spectral).complete({"dim": 16})["spectral_rank"] == 64
    assert space_of(dim, {"dim": 16}, **spectral).complete({})["spectral_rank"] == 32  # the default
    assert "spectral_rank" not in space_of(dim).complete({"dim": 16})
    assert space_of(dim, **spectral).sections({})[0].spectral_rank == 64


def test_a_training_run_takes_hyperparameters_only() -> None:
    with pytest.raises(ConfigError, match="threads is not a hyperparameter"):
        space_of({"lr": LR}).sections({"threads": 2})


def test_it_is_built_once_for_a_config_and_anew_for_a_changed_copy() -> None:
    settings = config({"lr": LR, "loss": LOSS})
    assert settings.search_space is settings.search_space
    pinned = settings.hpo.model_copy(update={"fixed": {"loss": "mse"}})
    changed = settings.model_copy(update={"hpo": pinned})
    assert list(changed.search_space.searched) == ["lr"]
    assert list(settings.search_space.searched) == ["loss", "lr"]


INIT = {"type": "categorical", "choices": ["random", "ridge"]}
BRANCHES: dict[str, Any] = {
    "init": INIT,
    "dim": {"type": "int", "low": 8, "high": 64, "step": 8, "only_if": {"init": "random"}},
    "lr": LR | {"only_if": {"init": "random"}},
    "closed_form_dim": {
        "sets": "dim", "type": "categorical", "choices": [32, 128, 512],
        "only_if": {"init": "ridge"},
    },
    "closed_form_epochs": {
        "sets": "epochs", "type": "categorical", "choices": [0], "only_if": {"init": "ridge"}
    },
    "ridge_penalty": {
        "type": "float", "low": 0.01, "high": 1, "log": True, "only_if": {"closed_form_epochs": 0}
    },
}  # fmt: skip


def test_an_entry_may_set_another_hyperparameter() -> None:
    found = space_of(BRANCHES)
    assert list(found.searched) == ["init", "closed_form_dim", "dim", "lr", "ridge_penalty"]
    ridge = {"init": "ridge", "closed_form_dim": 128, "ridge_penalty": 0.1}
    assert found.complete(ridge) == {
        "init": "ridge", "dim": 128, "epochs": 0, "ridge_penalty": 0.1, "spectral_rank": 512
    }  # fmt: skip
    trained = {"init": "random", "dim": 64, "lr": 0.01}
    assert found.complete(trained) == trained
    assert found.default_params == {"init": "random", "dim": 32, "lr": 0.003}
    values = {**found.defaults, "init": "ridge", "dim": 128, "epochs": 0}
    assert found.present(values) == {"closed_form_dim": 128, "init": "ridge", "ridge_penalty": 0.1}
    assert found.outside(values) is None
    assert found.outside(values | {"dim": 64}) == ("closed_form_dim", 64)
    # What is found is a configuration by itself, as refit uses it.
    model, train = found.sections(found.complete(ridge))
    assert (model.dim, train.epochs, model.spectral_rank) == (128, 0, 512)


def test_a_single_choice_is_no_parameter_of_a_trial() -> None:
    found = space_of(BRANCHES)
    assert found.settled == {"closed_form_epochs": 0}
    # What depends on it depends on what it depends on.
    assert found.conditions["ridge_penalty"] == {"init": ("ridge",)}
    assert found.outside({**found.defaults, "init": "ridge", "dim": 128, "epochs": 5}) == (
        "closed_form_epochs", 5,
    )  # fmt: skip
    alone = space_of({"dim": {"type": "int", "low": 32, "high": 32}})
    assert (alone.searched, alone.complete({})) == ({}, {"dim": 32})
    with pytest.raises(ConfigError, match="the default 32 lies outside"):
        config({"dim": {"type": "int", "low": 8, "high": 8}})


def test_a_pin_takes_the_place_of_all_entries_that_set_it() -> None:
    found = space_of(BRANCHES, {"dim": 16})
    assert found.searched.keys() == {"init", "lr", "ridge_penalty"}
    assert found.complete({"init": "ridge", "ridge_penalty": 0.1})["dim"] == 16
    assert found.sets == {"closed_form_epochs": "epochs"}


def test_a_spectral_start_is_as_wide_as_the_branches_that_decompose() -> None:
    wide = BRANCHES | {"dim": BRANCHES["dim"] | {"high": 1024}}
    assert space_of(wide).complete({"init": "ridge", "closed_form_dim": 32})["spectral_rank"] == 512
    nested = {
        "wide": {
            "sets": "similarity", "type": "categorical", "choices": ["dot", "cosine"],
            "only_if": {"init": "random"},
        },
        "dim": BRANCHES["dim"] | {"high": 1024, "only_if": {"wide": "dot"}},
    }  # fmt: skip
    space = space_of(BRANCHES | nested, model={"similarity": "dot"})
    assert space.complete({"init": "ridge", "closed_form_dim": 32})["spectral_rank"] == 512


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"closed_form_dim": {**BRANCHES["closed_form_dim"], "only_if": {}}},
            ["closed_form_dim and dim both set dim", "never hold together"],
        ),
        (
            {"closed_form_dim": {**BRANCHES["closed_form_dim"], "only_if": {"loss": "mse"}}},
            ["closed_form_dim and dim both set dim"],
        ),
        (
            {"batch_size": {**BRANCHES["closed_form_dim"], "sets": "dim"}},
            ["hpo.search_space.batch_size: sets dim, but is the name of a hyperparameter"],
        ),
        ({"a": {**BRANCHES["lr"], "sets": "learning"}}, ["learning is not a hyperparameter"]),
        ({"a b": {**BRANCHES["lr"], "sets": "lr"}}, ["a b: a name begins with a letter"]),
        ({"a": {**BRANCHES["lr"], "sets": "temperature", "low": -1, "log": False}}, ["greater"]),
        (
            {"logq": {**LOGQ, "only_if": {"epochs": 5}}},
            ["logq.only_if.epochs: name the entry that sets epochs: closed_form_epochs"],
        ),
        (
            {"logq": {**LOGQ, "only_if": {"closed_form_dim": 64}}},
            ["the search space of closed_form_dim does not contain 64"],
        ),
        (
            {
                "item_exponent": {"type": "categorical", "choices": [0.3, 0.5],
                                  "only_if": {"init": "random"}},
                "b": {"sets": "item_exponent", "type": "categorical", "choices": [0.1, 0.2, 0.4],
                      "only_if": {"init": "ridge"}},
            },
            ["make 5 combinations"],
        ),
    ],
)  # fmt: skip
def test_broken_rules_of_entries_with_another_name(changed: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(BRANCHES | changed)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_conditions_of_conditions_may_exclude_entries_of_one_hyperparameter() -> None:
    inner = {"loss": LOSS | {"only_if": {"init": "random"}}}
    dim = {"dim": BRANCHES["dim"] | {"only_if": {"loss": ["softmax", "mse"]}}}
    assert "closed_form_dim" in space_of(BRANCHES | inner | dim).searched


def test_a_start_that_does_not_go_with_the_model_may_be_pinned_away() -> None:
    raw = {"model": {"hidden": [8]}, "hpo": {"fixed": {"init": "random"}}}
    searched = parse_config(raw).search_space.searched
    assert set(searched) == {"dim", "lr", "epochs", "batch_size", "user_tower"}
    with pytest.raises(ConfigError, match=r"search_space.init: init: ridge sets .* hidden"):
        parse_config({"model": {"hidden": [8]}})
