"""The whole comparison on a few rows."""

import csv
import functools
import itertools
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.comparison import baselines, clock, tuning
from benchmarks.comparison.clock import Point
from benchmarks.comparison.problem import Method, Problem
from benchmarks.comparison.report import frontier, results_rows
from benchmarks.comparison.tuning import Effort, Result, Run, measure, train
from benchmarks.comparison.two_tower import two_tower
from tests.conftest import events
from twotower.baselines.popularity import Popularity
from twotower.common.errors import TrainingError
from twotower.evaluation.ranking import VectorScorer

EFFORT = Effort(budget=0.2, threads=1, seed=42)
SMALL = {"dim": 8, "batch_size": 64, "epochs": 3}
PEERS = {"implicit_als": "implicit", "implicit_bpr": "implicit", "lenskit_flexmf": "lenskit"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    folder.mkdir()
    events(seed=0).drop(columns="weight").to_csv(folder / "interactions.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def dataset(shop):
    return quality.load_dataset(str(shop), shop, None, 42)


def silent(_: str) -> None:
    pass


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_method_has_a_grid_of_the_same_size():
    for method in quality.METHODS:
        assert len(method.grid) == (1 if method.name == "popularity" else quality.GRID_SIZE)
        assert len(method.timed_grid) in (0, quality.GRID_SIZE)
        for grid in (method.grid, method.timed_grid):
            assert len({json.dumps(setting) for setting in grid}) == len(grid)


def test_what_a_user_did_last_counts_only_where_there_are_times(dataset):
    timed = Effort(5, 1, 42).problem(dataset.tuning)
    flat = replace(timed.interactions, timestamp=np.zeros_like(timed.interactions.timestamp))
    timeless = replace(timed, interactions=flat)
    for method in quality.METHODS:
        assert method.settings(timed) == (method.timed_grid or method.grid)
        assert method.settings(timeless) == method.grid


def test_the_command(shop, tmp_path, capsys, monkeypatch):
    small = two_tower(quality.OURS, (SMALL, SMALL | {"dim": 4}))
    others = [
        replace(method, grid=method.grid[:2], timed_grid=method.timed_grid[:2])
        for method in baselines.METHODS
    ]
    monkeypatch.setattr(quality, "METHODS", (small, *others))
    monkeypatch.setattr("benchmarks.comparison.plot.write_pictures", lambda *_: [])
    quality.main([str(shop), "--threads", "1", "--budget", "5", "--output", str(tmp_path)])
    printed = capsys.readouterr().out
    results = {row["method"]: row for row in read(tmp_path / "shop" / "results.csv")}
    assert list(results) == ["two_tower", "popularity", "item_knn", "ease", "ials"]
    for name, row in results.items():
        assert row["status"] == "scored"
        assert float(row["ndcg_at_20_low"]) < float(row["ndcg_at_20"])
        assert float(row["ndcg_at_20"]) < float(row["ndcg_at_20_high"])
        assert f"{float(row['recall_at_20']):.4f} [" in printed
        assert (row["lead_ndcg_at_20"] == "") == (name == "two_tower")
    points = read(tmp_path / "shop" / "points.csv")
    settings = {(row["method"], row["setting"]) for row in points}
    assert len(settings) == 2 + 1 + 2 + 2 + 2
    best = max(float(row["ndcg_at_20"]) for row in points if row["method"] == "ease")
    assert float(results["ease"]["validation_ndcg_at_20"]) == best
    [reached] = [
        row for row in read(tmp_path / "shop" / "frontier.csv") if row["method"] == "popularity"
    ]
    assert float(reached["after_5_s"]) == float(results["popularity"]["validation_ndcg_at_20"])
    assert "two_tower" in (tmp_path / "shop" / "frontier.html").read_text(encoding="utf-8")


def test_a_method_can_be_chosen(shop, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.comparison.plot.write_pictures", lambda *_: [])
    quality.main([str(shop), "--only", "popularity", "--output", str(tmp_path)])
    assert [row["method"] for row in read(tmp_path / "shop" / "results.csv")] == ["popularity"]
    assert "two_tower\n" not in capsys.readouterr().out


def test_a_mistake_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        quality.main(["neverland"])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("error: neverland: no data set")


def test_a_method_that_cannot_run_is_reported(dataset, capsys):
    absent = Method("absent", ({},), baselines.METHODS[0].fit, obstacle=lambda _: "not installed")
    result = measure(absent, dataset, EFFORT, silent)
    assert (result.missing, result.runs) == ("not installed", ())
    rows = results_rows([result], "two_tower", 42)
    assert rows == [{"method": "absent", "status": "not installed"}]
    quality.report.print_table(rows, dataset, "two_tower")
    quality.report.print_frontier([result])
    assert capsys.readouterr().out.count("not installed") == 2


@pytest.mark.parametrize("name", PEERS)
def test_peers_learn_or_are_reported_as_not_installed(name, dataset):
    [method] = [method for method in quality.METHODS if method.name == name]
    problem = EFFORT.problem(dataset.tuning)
    if find_spec(PEERS[name]) is None:
        assert method.obstacle(problem) == f"not installed: pip install {PEERS[name]}"
        return
    assert method.obstacle(problem) == ""
    scorer = train(method, problem, method.grid[0], passes=200)
    popularity = Popularity(problem.interactions, problem.num_items)
    assert ndcg(scorer, dataset) > 1.2 * ndcg(popularity, dataset)


def ndcg(scorer, dataset) -> float:
    return tuning.evaluate(scorer, dataset.tuning.target, (20,)).summary()["ndcg_at_20"]


def test_training_again_for_as_many_passes_gives_the_same_state(dataset):
    method = two_tower("ours", (SMALL,))
    problem = EFFORT.problem(dataset.tuning)
    seen = {}
    method.fit(problem, None, SMALL, lambda n, scorer: seen.update({n: scorer().user_vecs.clone()}))
    assert list(seen) == [1, 2, 3]
    again = train(method, problem, SMALL, passes=2)
    np.testing.assert_array_equal(again.user_vecs, seen[2])


def test_the_best_setting_and_number_of_passes_are_chosen_on_validation(dataset, monkeypatch):
    """The second pass of setting b ranks what is held out first, and nothing else does."""
    seconds = itertools.count(step=10)
    timed = functools.partial(clock.Recorder, timer=lambda: next(seconds))
    monkeypatch.setattr(tuning, "Recorder", timed)
    made = []

    def fit(problem: Problem, _: None, setting, on_pass):
        for number in (1, 2, 3):
            made.append((setting["name"], len(problem.interactions), number))
            good = setting["name"] == "b" and number == 2
            on_pass(number, lambda good=good: oracle(problem, good))
        return oracle(problem, False)

    def oracle(problem: Problem, good: bool):
        target = dataset.tuning.target
        users = np.zeros((problem.num_users, problem.num_items), dtype=np.float32)
        if good:
            rows = np.repeat(np.arange(len(target)), target.relevant.counts)
            users[target.users[rows], target.relevant.items] = 1
        return VectorScorer(users, np.eye(problem.num_items, dtype=np.float32))

    method = Method("oracle", ({"name": "a"}, {"name": "b"}, {"name": "c"}), fit)
    effort = Effort(budget=1e9, threads=1, seed=1)
    result = measure(method, dataset, effort, silent)
    assert (result.setting, result.point.passes) == ({"name": "b"}, 2)
    assert result.point.metrics["ndcg_at_20"] == 1
    assert made[-1] == ("b", len(dataset.final.interactions), 2)
    assert [len(run.points) for run in result.runs] == [3, 3, 3]


def test_a_setting_that_diverges_is_kept_as_a_failure(dataset):
    def fit(problem: Problem, _: None, setting, _on_pass):
        if setting["bad"]:
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return Popularity(problem.interactions, problem.num_items)

    fine, bad = {"bad": False}, {"bad": True}
    method = Method("some", (fine,), fit)
    runs = list(tuning.tune(Method("some", (bad, fine), fit), EFFORT.problem(dataset.tuning),
                            dataset.tuning, 1.0))  # fmt: skip
    assert (runs[0].points, runs[0].failure) == ([], "TrainingError: the loss is not finite")
    assert len(runs[1].points) == 1
    assert measure(method, dataset, EFFORT, silent).test is not None


def test_frontier_is_the_best_so_far_of_all_settings():
    def point(seconds: float, value: float) -> Point:
        return Point(1, seconds, {"ndcg_at_20": value})

    runs = [Run({"a": 1}, [point(6, 0.3), point(20, 0.2)]), Run({"a": 2}, [point(40, 0.5)])]
    assert frontier(Result("m", runs)) == {5: None, 10: 0.3, 30: 0.3, 60: 0.5, 300: 0.5}
