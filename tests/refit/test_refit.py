import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from tests.conftest import events, split_by_time, split_by_user, write_prepared
from twotower.artifacts import FORMAT_VERSION, load_artifacts
from twotower.assessment import model_card, scoreboard
from twotower.assessment.assess import Assessment
from twotower.assessment.per_user import read_per_user
from twotower.assessment.summary import summary
from twotower.baselines.baseline import BASELINES, Baseline, wanted_baselines
from twotower.baselines.plan import Plan, TrainingData
from twotower.common.errors import ArtifactError, ConfigError, SearchError, TrainingError
from twotower.common.seeds import derive_seed
from twotower.config import Config, parse_config
from twotower.data.prepared import read_catalogue, read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.refit import RefitOutputs, read_search, refit, training_set
from twotower.training.towers import TwoTower

EVERY_RUN = [row.name for row in wanted_baselines(())]
BEST = {"dim": 16, "lr": 0.03, "epochs": 8, "batch_size": 64}


def config(**sections: Any) -> Config:
    defaults = {"model": {"dim": 8}, "train": {"epochs": 1}, "hpo": {"include_defaults": False}}
    return parse_config(defaults | sections)


ONE_SEED = config(refit={"seeds": 1})
"""Trains a third of what the default does."""


def outputs(root: Path) -> RefitOutputs:
    return RefitOutputs(root / "artifacts", root / "test.json")


def assess(root: Path, prepared: Path, settings: Config | None = None) -> Assessment:
    return refit(settings or config(), {"best_params": BEST}, prepared, outputs(root))


def run(root: Path, prepared: Path, settings: Config | None = None) -> dict[str, Any]:
    return assess(root, prepared, settings).metrics


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def _few_settings_of_ials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight, which take a second."""
    row = BASELINES["ials"]
    monkeypatch.setitem(BASELINES, row.name, replace(row, grid=row.grid[:2]))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("refit")
    return root, run(root, prepared)


def test_files(done: tuple[Path, dict[str, Any]]) -> None:
    assert set(digests(done[0])) == {
        "artifacts/best_model.pth",
        "artifacts/item_counts.npy",
        "artifacts/item_vecs.npy",
        "artifacts/model_card.md",
        "artifacts/model_meta.json",
        "artifacts/seen_items.npy",
        "artifacts/seen_offsets.npy",
        "artifacts/user_vecs.npy",
        "artifacts/vocabulary/features.json",
        "artifacts/vocabulary/items.parquet",
        "artifacts/vocabulary/users.parquet",
        "baselines.csv",
        "headline/test.json",
        "intervals.json",
        "item_groups.json",
        "per_user.parquet",
        "slices.json",
        "test.json",
        "verdict.json",
    }


def card_of(root: Path) -> tuple[dict[str, Any], str]:
    """Metadata and text of a model card."""
    card = load_artifacts(root / "artifacts").card()
    assert card is not None
    _, head, text = card.split("---\n", 2)
    return yaml.safe_load(head), text


def test_the_card_says_what_the_metrics_say(
    done: tuple[Path, dict[str, Any]], prepared: Path
) -> None:
    root, metrics = done
    head, text = card_of(root)
    (model,) = head["model-index"]
    found = {metric["type"]: metric["value"] for metric in model["results"][0]["metrics"]}
    assert found == {key: read(root / "test.json")["optimized"][key] for key in found}
    assert found.keys() == {"recall_at_10", "ndcg_at_10", "mrr"}
    low, high = read(root / "intervals.json")["intervals"]["optimized"]["mrr"]
    assert f"{metrics['optimized']['mrr']:.4f} [{low:.4f}, {high:.4f}] |" in text
    assert f"**{read(root / 'verdict.json')['sentence']}**" in text
    assert "`batch_size: 64`, `dim: 16`, `epochs: 8`, `lr: 0.03`" in text
    rows = read_split(prepared / "train.parquet")
    counts = len(rows), rows["user_id"].nunique(), rows["item_id"].nunique()
    assert f"| train | {' | '.join(map(str, counts))} |" in text
    assert not re.search(r"\n\n\n|\{|None|nan", text)


def test_the_card_has_every_objective_of_its_items() -> None:
    config = parse_config({"hpo": {"objectives": ["mrr", "gini_at_5", "coverage_at_5_cold"]}})
    facts: Any = SimpleNamespace(
        assessment=SimpleNamespace(verdict={"objective": "mrr"}), config=config
    )
    assert model_card._shown(facts) == ["mrr", "gini_at_5", "recall_at_5", "ndcg_at_5"]


def test_a_card_of_a_model_without_scores_says_why(tmp_path: Path, prepared: Path) -> None:
    card = {"name": "shop:\n---\n# 1", "dataset": "our shop\n", "license": "cc-by-4.0"}
    run(tmp_path, prepared, config(refit={"score_test": False, "card": card}))
    head, text = card_of(tmp_path)
    assert (head["license"], "model-index" in head) == ("cc-by-4.0", False)
    assert "The model was not scored: refit.score_test is false." in text
    assert "# shop: --- # 1\n" in text
    assert "such as age or place.\n" in text
    assert "Interactions of users with items: our shop." in text


def test_same_bytes_again(done: tuple[Path, Any], tmp_path: Path, prepared: Path) -> None:
    run(tmp_path, prepared)
    assert digests(tmp_path) == digests(done[0])


def test_metrics_hold_every_model_and_baseline(done: tuple[Path, dict[str, Any]]) -> None:
    root, metrics = done
    assert json.loads((root / "test.json").read_text())["scored"] is True
    for name in ("optimized", "default", *EVERY_RUN, "random"):
        assert 0 <= metrics[name]["recall_at_10"] <= 1
    # A decay is one of the candidates of the last two.
    settings = {name: metrics[name].get("setting", {}).keys() - {"decay"} for name in EVERY_RUN}
    assert settings == {
        "popularity": set(),
        "recency_popularity": {"half_life"},
        "item_knn": {"k", "shrink"},
        "ease": {"l2"},
    }
    assert metrics["optimized"]["recall_at_5"] > 1.5 * metrics["random"]["recall_at_5"]
    assert metrics["evaluated"]["num_users"] > 0


def test_the_headline_and_the_bars_are_of_the_test_metrics(
    done: tuple[Path, dict[str, Any]],
) -> None:
    root, _ = done
    metrics = read(root / "test.json")  # rounded
    others = [metrics[name]["recall_at_10"] for name in ("default", *EVERY_RUN)]
    assert read(root / "headline" / "test.json") == {
        "test": {
            "recall_at_10": metrics["optimized"]["recall_at_10"],
            "mrr": metrics["optimized"]["mrr"],
            "best_baseline": max(others),
            "verdict": read(root / "verdict.json")["verdict"],
        }
    }
    rows = pd.read_csv(root / "baselines.csv")
    assert set(rows["scorer"]) == {"optimized", "default", *EVERY_RUN, "random"}
    assert rows["value"].tolist() == [metrics[name]["recall_at_10"] for name in rows["scorer"]]


def test_metrics_can_be_recomputed_from_the_artifacts_alone(
    done: tuple[Path, dict[str, Any]], prepared: Path
) -> None:
    root, metrics = done
    artifacts = load_artifacts(root / "artifacts")
    history = [read_split(prepared / f"{name}.parquet") for name in artifacts.meta["trained_on"]]
    target = evaluation_set(
        artifacts.catalogue,
        pd.concat(history),
        read_split(prepared / "test.parquet"),
        exclude_seen=True,
    )
    scorer = VectorScorer(np.array(artifacts.user_vecs), np.array(artifacts.item_vecs))
    assert evaluate(scorer, target, (5, 10, 20)).summary() == metrics["optimized"]


def test_weights_rebuild_the_vectors(done: tuple[Path, Any]) -> None:
    artifacts = load_artifacts(done[0] / "artifacts")
    users, items = artifacts.towers.vectors()
    assert np.array_equal(users, artifacts.user_vecs)
    assert np.array_equal(items, artifacts.item_vecs)
    weights = torch.load(done[0] / "artifacts" / "best_model.pth", weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())


def test_ids_are_those_of_the_user(done: tuple[Path, Any], prepared: Path) -> None:
    catalogue = load_artifacts(done[0] / "artifacts").catalogue
    seen = set(read_split(prepared / "train.parquet")["item_id"])
    seen |= set(read_split(prepared / "validation.parquet")["item_id"])
    assert set(catalogue.items.vocabulary.ids) == seen


def test_meta_says_what_it_is(done: tuple[Path, dict[str, Any]]) -> None:
    meta = json.loads((done[0] / "artifacts" / "model_meta.json").read_text())
    assert meta["best_params"] == BEST
    assert meta["model"]["dim"] == 16
    assert meta["trained_on"] == ["train", "validation"]
    assert meta["metrics"]["test"]["mrr"] == pytest.approx(done[1]["optimized"]["mrr"], rel=1e-7)
    assert meta["rows"] == {"train": 240, "validation": 60, "test": 60}
    assert meta["format_version"] == FORMAT_VERSION


def test_all_ships_a_model_of_all_rows_with_the_scores_of_the_other(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, prepared: Path
) -> None:
    metrics = run(tmp_path, prepared, config(refit={"final": "all", "seeds": 1}))
    assert metrics == done[1]
    shipped = load_artifacts(tmp_path / "artifacts")
    assert shipped.meta["trained_on"] == ["train", "validation", "test"]
    assert shipped.meta["final"] == "all"
    text = card_of(tmp_path)[1]
    assert "held out from the search and from the training of the model that was scored." in text
    test_items = set(read_split(prepared / "test.parquet")["item_id"])
    assert test_items <= set(shipped.catalogue.items.vocabulary.ids)
    old = load_artifacts(done[0] / "artifacts").user_vecs
    assert not np.array_equal(shipped.user_vecs[: len(old)], old)


def test_the_files_agree_with_each_other(done: tuple[Path, dict[str, Any]]) -> None:
    root, metrics = done
    per_user = read_per_user(root / "per_user.parquet")
    assert set(per_user.metrics) == {"optimized", "default", *EVERY_RUN, "random"}
    intervals = read(root / "intervals.json")
    assert len(per_user.users) == intervals["num_users"] == metrics["evaluated"]["num_users"]
    for scorer, found in per_user.metrics.items():
        for metric, values in found.items():
            assert values.mean() == pytest.approx(metrics[scorer][metric])
            if scorer != "random":
                low, high = intervals["intervals"][scorer][metric]
                assert low <= metrics[scorer][metric] <= high
    assert per_user.digests == {name: metrics["evaluated"][name] for name in ("test_rows", "masks")}
    verdict = read(root / "verdict.json")
    assert set(verdict["comparisons"]) == set(per_user.metrics) - {"optimized"}
    assert verdict["gap"]["test"]["value"] == pytest.approx(metrics["optimized"]["recall_at_10"])


class LowestIndex:
    """A baseline that recommends the first items of the catalogue to everyone."""

    def __init__(self, num_items: int) -> None:
        self._scores = -torch.arange(num_items, dtype=torch.float32)

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return self._scores.repeat(len(user_idx), 1)


def test_a_baseline_that_is_added_to_the_table_is_in_every_file(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Baseline("lowest_index", "", ({},), lambda data, _: LowestIndex(data.num_items))
    monkeypatch.setitem(BASELINES, row.name, row)
    assessment = assess(tmp_path, prepared, ONE_SEED)
    value = read(tmp_path / "test.json")["lowest_index"]["recall_at_10"]
    assert 0 < value < assessment.metrics["optimized"]["recall_at_10"]
    for name, section in (("intervals", "intervals"), ("verdict", "comparisons")):
        assert "lowest_index" in read(tmp_path / f"{name}.json")[section]
    assert "lowest_index" in read_per_user(tmp_path / "per_user.parquet").metrics
    assert any(
        line.startswith(f"  lowest_index        {value:.4f}") for line in summary(assessment)
    )


def test_the_spread_over_seeds_begins_with_the_shipped_model(
    done: tuple[Path, dict[str, Any]],
) -> None:
    seeds = read(done[0] / "intervals.json")["seeds"]["mrr"]
    assert len(seeds["values"]) == len(set(seeds["values"])) == 3
    assert seeds["values"][0] == pytest.approx(done[1]["optimized"]["mrr"])
    assert seeds["mean"] == pytest.approx(np.mean(seeds["values"]))
    assert seeds["std"] == pytest.approx(np.std(seeds["values"], ddof=1))


def test_a_closed_form_model_has_seeds_too(tmp_path: Path, prepared: Path) -> None:
    closed = {"epochs": 0, "init": "spectral", "dim": 4}
    kept = tmp_path / "decompositions"
    refit(
        config(), {"best_params": closed}, prepared, outputs(tmp_path / "out"), decompositions=kept
    )
    seeds = read(tmp_path / "out" / "intervals.json")["seeds"]["mrr"]
    assert len(seeds["values"]) == 3
    assert seeds["std"] < 0.05
    assert len(list(kept.glob("*.npz"))) == 1, "only that of the model that is shipped"


def test_more_seeds_change_neither_the_model_nor_its_metrics(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, prepared: Path
) -> None:
    assert run(tmp_path, prepared, ONE_SEED) == done[1]
    changed = {
        path for path, digest in digests(tmp_path).items() if digests(done[0])[path] != digest
    }
    told = {"artifacts/model_card.md", "artifacts/model_meta.json"}  # the verdict, and its digest
    assert changed == {"intervals.json", "verdict.json", *told}
    assert read(tmp_path / "intervals.json")["seeds"]["mrr"]["std"] is None


def test_a_further_seed_that_diverges_costs_only_itself(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training_set.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        if options["seed"] == derive_seed(42, "refit", 1):
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return whole(*arguments, **options)

    monkeypatch.setattr(training_set, "fit", fit)
    run(tmp_path, prepared)
    intervals = read(tmp_path / "intervals.json")
    assert intervals["seeds_diverged"] == 1
    assert len(intervals["seeds"]["mrr"]["values"]) == 2


def test_the_default_model_is_no_rival_of_itself(tmp_path: Path, prepared: Path) -> None:
    params = {"best_params": {"epochs": 1, "dim": 8}}
    same = refit(ONE_SEED, params, prepared, outputs(tmp_path))
    assert same.metrics["default"] == same.metrics["optimized"]
    assert "default" not in same.verdict["comparisons"]
    assert same.verdict["left_out"] == {"default": "same hyperparameters as the optimized model"}


def test_blind_and_without_a_test_split_nothing_is_scored(tmp_path: Path, prepared: Path) -> None:
    root = tmp_path / "blind"
    blind = assess(root, prepared, config(refit={"score_test": False}))
    assert blind.metrics == {"scored": False}
    assert list(summary(blind)) == [
        "model written to .artifacts_best/, without test scores: refit.score_test is false"
    ]
    assert read(root / "verdict.json")["verdict"] is None
    for name in ("intervals", "slices"):
        assert read(root / f"{name}.json") == {"scored": False}
    nobody = read_per_user(root / "per_user.parquet")
    assert (len(nobody.users), nobody.metrics, nobody.digests) == (0, {}, {})
    splits = split_by_time(events(seed=0))
    splits["test"] = splits["test"][:0]
    without = assess(tmp_path / "none", write_prepared(tmp_path / "prepared", splits))
    assert without.metrics == {"scored": False}
    assert without.verdict["reason"] == "there is no test split"
    assert load_artifacts(tmp_path / "none" / "artifacts").meta["metrics"]["test"] is None


def test_without_a_validation_split_baselines_take_the_middle_of_their_grids(
    tmp_path: Path,
) -> None:
    splits = split_by_time(events(seed=0))
    splits["validation"] = splits["validation"][:0]
    found = assess(tmp_path, write_prepared(tmp_path / "prepared", splits), ONE_SEED)
    assert found.metrics["ease"]["setting"] == {"l2": 300}
    assert found.verdict["gap"]["validation"] is None


@pytest.mark.usefixtures("_few_settings_of_ials")
def test_a_baseline_beyond_its_budget_is_left_out_and_one_that_is_named_is_added(
    tmp_path: Path, prepared: Path
) -> None:
    options = {"seeds": 1, "baseline_budget": {"minutes": 1e-9}, "extra_baselines": ["ials"]}
    found = assess(tmp_path, prepared, config(refit=options))
    assert found.metrics["ials"]["recall_at_10"] > found.metrics["random"]["recall_at_10"]
    assert found.metrics["ials"]["setting"].keys() == {"dim", "alpha", "penalty"}
    assert (
        "beyond the 8 GB and 1e-09 min of refit.baseline_budget" in found.metrics["ease"]["failure"]
    )
    assert found.verdict["verdict"] != "beats every baseline"


def test_a_sample_of_users_is_announced_and_recorded(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(sample_users=20, notice="it takes a while")
    monkeypatch.setitem(BASELINES, "ease", replace(BASELINES["ease"], plan=lambda *_: plan))
    said: list[str] = []
    found = refit(ONE_SEED, {"best_params": BEST}, prepared, outputs(tmp_path), say=said.append)
    assert said == ["ease: it takes a while, its setting chosen on 20 users"]
    assert read(tmp_path / "test.json")["ease"]["chosen_on_users"] == 20
    assert any(line.endswith("chosen on 20 users") for line in summary(found))


def test_many_users_choose_by_a_sample_what_is_fitted_to_all(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []

    def all_at_once(data: TrainingData, settings: Any) -> Any:
        fitted.append(data.num_users)
        return [knn.fit(data, setting) for setting in settings]

    knn = BASELINES["item_knn"]
    monkeypatch.setitem(BASELINES, "item_knn", replace(knn, fit_all=all_at_once))
    monkeypatch.setattr(scoreboard, "SAMPLE_USERS", 10)
    monkeypatch.setattr(scoreboard, "LONG", 0.0)
    said: list[str] = []
    found = refit(ONE_SEED, {"best_params": BEST}, prepared, outputs(tmp_path), say=said.append)
    chosen_on = {name: found.metrics[name].get("chosen_on_users") for name in EVERY_RUN}
    several = ("recency_popularity", "item_knn", "ease")
    assert chosen_on == {"popularity": None, **dict.fromkeys(several, 10)}
    assert fitted == [len(read_catalogue(prepared / "vocabulary").users)]
    assert said[-1].startswith("baselines took ")


def test_defaults_that_diverge_do_not_cost_the_model(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training_set.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        if arguments[3].epochs == 1:
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return whole(*arguments, **options)

    monkeypatch.setattr(training_set, "fit", fit)
    metrics = run(tmp_path, prepared, ONE_SEED)
    assert metrics["default"] == {"failure": "the loss is not finite"}
    assert metrics["optimized"]["recall_at_10"] > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("{", "not a results file"),
        ("[]", "not a results file"),
        ('{"best_params": {"dim": 9}, "sha256": "of dim 8"}', "its checksum is wrong"),
    ],
)
def test_unusable_results_are_a_clear_error(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "hpo_results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SearchError, match=words):
        read_search(path)


def test_unknown_hyperparameters_are_refused(tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(SearchError, match="unknown hyperparameter dimm"):
        refit(config(), {"best_params": {"dimm": 4}}, prepared, outputs(tmp_path))


def test_a_model_that_is_not_finite_is_not_written(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vectors(_model: TwoTower) -> tuple[np.ndarray, np.ndarray]:
        return np.full((3, 2), np.inf, np.float32), np.zeros((3, 2), np.float32)

    monkeypatch.setattr(TwoTower, "vectors", vectors)
    with pytest.raises(TrainingError, match="not finite"):
        run(tmp_path, prepared, config(refit={"score_test": False}))
    assert not (tmp_path / "artifacts").exists()


def test_incomplete_artifacts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        load_artifacts(tmp_path)
    meta = {"format_version": 99}
    (tmp_path / "model_meta.json").write_text(json.dumps(meta))
    with pytest.raises(ArtifactError, match="format version 99"):
        load_artifacts(tmp_path)


@pytest.mark.usefixtures("_few_settings_of_ials")
def test_new_users_are_scored_whole_and_those_of_validation_are_trained_on(tmp_path: Path) -> None:
    parts = split_by_user(events(seed=0))
    prepared = write_prepared(tmp_path / "prepared", parts)
    found = assess(tmp_path, prepared, config(refit={"extra_baselines": ["ials"], "seeds": 2}))
    artifacts = load_artifacts(tmp_path / "artifacts")
    assert artifacts.meta["trained_on"] == ["train", "validation_history", "validation"]
    assert artifacts.meta["rows"] == {name: len(rows) for name, rows in parts.items()}
    known = {*parts["train"]["user_id"], *parts["validation"]["user_id"]}
    assert set(artifacts.user_ids.all) == known
    evaluated = found.metrics["evaluated"]
    assert evaluated["num_folded_in_rows"] == len(parts["test_history"])
    assert found.verdict["num_users"] == evaluated["num_users"] > 0
    users = read_per_user(tmp_path / "per_user.parquet").users
    assert set(users) <= set(parts["test"]["user_id"])
    assert set(found.metrics) >= {"optimized", "default", *EVERY_RUN, "ials", "random"}
    spans = [part["training_rows"] for part in found.slices["user_activity"].values()]
    assert spans == [[8, 8]]  # of what is known of each
    assert not (found.slices["advice"] or "").endswith("cutoff")
    assert next(summary(found)).startswith(f"test recall_at_10 on {len(users)} new users, with")


def test_with_all_data_the_new_users_are_trained_on_too(tmp_path: Path) -> None:
    parts = split_by_user(events(seed=0))
    prepared = write_prepared(tmp_path / "prepared", parts)
    settings = config(refit={"final": "all", "score_test": False})
    assess(tmp_path, prepared, settings)
    artifacts = load_artifacts(tmp_path / "artifacts")
    assert sorted(artifacts.meta["trained_on"]) == sorted(parts)
    assert "held out from the search." in card_of(tmp_path)[1]
    assert artifacts.item_counts.sum() == sum(map(len, parts.values()))


def test_a_missing_usearch_is_said_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ConfigError, match="needs usearch: pip install"):
        assess(tmp_path, tmp_path / "no data", config(refit={"index": "usearch"}))
