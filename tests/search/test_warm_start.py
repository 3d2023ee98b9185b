"""A study that begins with trials of an earlier one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.search.studies import BRANCHES, PLAIN, SAMPLERS, config, extend, finished, proposed
from tests.search.test_run_search import Run
from tests.search.test_run_search import config as small
from twotower.common.errors import SearchError
from twotower.config import Config, parse_config
from twotower.config.hyperparameters import hyperparameters
from twotower.search.identity import build_identity
from twotower.search.warm_start import EMPTY, WARM_START, read_warm_start, write_warm_start

BEST = {"batch_size": 128, "dim": 16, "epochs": 7, "lr": 0.02}
OTHER = {"batch_size": 512, "dim": 64, "epochs": 3, "lr": 0.001}


def stored(path: Path, *params: dict[str, Any]) -> Path:
    trials = [{"number": n, "params": values, "value": 0.1} for n, values in enumerate(params)]
    path.write_text(json.dumps({"trials": trials}), encoding="utf-8")
    return path


def test_the_committed_file_is_empty_and_changes_no_identity() -> None:
    committed = REPOSITORY / WARM_START
    assert json.loads(committed.read_text(encoding="utf-8")) == EMPTY
    assert read_warm_start(committed, Config()).trials == []


def test_no_file_is_no_trials(tmp_path: Path) -> None:
    assert read_warm_start(tmp_path / "absent.json", Config()).trials == []


def test_trials_fit_the_space_or_are_skipped_with_the_reason(tmp_path: Path) -> None:
    settings = parse_config({"hpo": {"search_space": PLAIN}})
    everything = hyperparameters(settings.model, settings.train)
    defaults = {name: everything[name] for name in BEST}
    path = stored(
        tmp_path / "warm.json",
        BEST | {"loss": "mse", "a_removed_one": 1},
        BEST | {"lr": 0.2},
        defaults,
        {"dim": 24},
        BEST,
        BEST | {"dim": 17},
        BEST | {"dim": None},
    )
    found = read_warm_start(path, settings)
    assert found.trials == [BEST, defaults | {"dim": 24}]
    assert [line.split(": ", 1)[1] for line in found.skipped] == [
        "trials[1] is skipped: lr 0.2 lies outside the search space",
        "trials[2] is skipped: already in the study",
        "trials[4] is skipped: already in the study",
        "trials[5] is skipped: dim 17 lies outside the search space",
        "trials[6] is skipped: dim None lies outside the search space",
    ]


def test_conditions_hold(tmp_path: Path) -> None:
    path = stored(tmp_path / "warm.json", {**BEST, "loss": "mse", "temperature": 0.2})
    (params,) = read_warm_start(path, config(conditional=True)).trials
    assert params == {"dim": 16, "epochs": 7, "loss": "mse", "lr": 0.02}


def test_a_stored_trial_names_hyperparameters_whatever_the_entries(
    tmp_path: Path, prepared: Path
) -> None:
    settings = small(search_space=BRANCHES, n_trials=10, include_defaults=False)
    last, path = Run(tmp_path / "last", prepared, settings), tmp_path / "warm.json"
    assert write_warm_start(path, last.outputs.snapshot, top=10) == 10
    trials = json.loads(path.read_text(encoding="utf-8"))["trials"]
    assert all("closed_form_dim" not in trial["params"] for trial in trials)
    closed = [trial["params"] for trial in trials if trial["params"]["init"] == "ridge"]
    assert sorted({params["dim"] for params in closed}) == [8, 16, 64]
    assert {params["epochs"] for params in closed} == {0}
    # Read back, they are the same parameters.
    again = [trial["params"] for trial in last.results["trials"]]
    found = read_warm_start(path, settings).trials
    assert sorted(map(str, found)) == sorted(map(str, again))


def test_a_repetition_in_effect_is_skipped(tmp_path: Path) -> None:
    dot = {"similarity": "dot", "dim": 16}
    space = {
        "dim": {"type": "int", "low": 8, "high": 64, "step": 8},
        "similarity": {"type": "categorical", "choices": ["cosine", "dot"]},
        "temperature": {"type": "float", "low": 0.05, "high": 1, "log": True},
    }
    path = stored(
        tmp_path / "warm.json", dot | {"temperature": 0.1}, dot | {"temperature": 0.2}, dot
    )
    found = read_warm_start(path, small(search_space=space))
    assert [params["temperature"] for params in found.trials] == [0.1]
    assert len(found.skipped) == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"trials": [1]}', '{"trials": [{"dim": 8}]}', "[" * 3000]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "warm.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SearchError, match="not a warm start"):
        read_warm_start(path, Config())


def test_it_is_part_of_the_identity() -> None:
    data = {"train.parquet": "a"}
    plain = build_identity(Config(), data).digest
    assert build_identity(Config(), data, []).digest == plain
    first = build_identity(Config(), data, [BEST]).digest
    assert len({plain, first, build_identity(Config(), data, [OTHER]).digest}) == 3


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("include_defaults", [True, False])
def test_every_sampler_continues_from_it(sampler: str, include_defaults: bool) -> None:
    settings = config(sampler, include_defaults=include_defaults)
    start = int(include_defaults)
    tried = [
        proposed(n, {}, settings, warm_start=[BEST, OTHER]).params for n in range(start, start + 2)
    ]
    assert tried == [BEST, OTHER]
    trials = extend({}, start, settings)
    for number, params in enumerate(tried, start):
        trials[number] = finished(number, params, {})
    extend(trials, 12, settings)
    assert trials[11].params not in tried


def test_a_search_begins_with_the_best_of_the_last_one(tmp_path: Path, prepared: Path) -> None:
    last, path = Run(tmp_path / "last", prepared, small(n_trials=3)), tmp_path / "warm.json"
    assert write_warm_start(path, last.outputs.snapshot, top=2) == 2
    first = json.loads(path.read_text(encoding="utf-8"))
    assert first["study"] == last.results["identity"]
    assert first["trials"][0]["number"] == last.results["best_trial"]["number"]
    assert first["trials"][0]["params"]["temperature"] == 0.1  # not searched

    defaults = {"dim": 8, "epochs": 1, "lr": 0.003}
    chosen = [{k: trial["params"][k] for k in defaults} for trial in first["trials"]]
    found = read_warm_start(path, small()).trials
    assert found == [params for params in chosen if params != defaults]

    def continued(name: str, count: int) -> Run:
        settings = small(n_trials=count, lookahead=2)
        return Run(tmp_path / name, prepared, settings, warm_start=path)

    straight = continued("straight", 4)
    grown = [continued("grown", count) for count in (1, 3, 4)]
    assert [run.new for run in grown] == [[0], [1, 2], [3]]
    assert grown[-1].digests == straight.digests
    assert straight.results["identity"] != last.results["identity"]
    plural = "" if len(found) == 1 else "s"
    assert f"warm start: {len(found)} trial{plural} from {path} will run first" in straight.said


def test_without_a_study_there_is_nothing_to_store(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no study to start from"):
        write_warm_start(tmp_path / "warm.json", tmp_path / "hpo_study.db", top=5)
    assert list(tmp_path.iterdir()) == []
