from dataclasses import replace

import pandas as pd

from tests.assessment.boards import board, interactions, lists, target
from tests.conftest import catalogue_of
from twotower.assessment.assess import Assessment, assess, unscored
from twotower.assessment.summary import summary

KNOWN = interactions([(user, user % 4) for user in range(40)], list(range(40)))
TEST = interactions([(user, (user + 1) % 4) for user in range(40)], [10.0] * 40)
FRAME = pd.DataFrame(
    {"user_id": TEST.user_idx, "item_id": TEST.item_idx, "weight": 1.0, "timestamp": 0}
)


def assessment(
    num_diverged: int = 0, *, strong_rival: bool = True, left_out: str = "ease"
) -> Assessment:
    wanted = target(
        lists(*([(user + 1) % 4] for user in range(40))),
        lists(*([user % 4] for user in range(40))),
        4,
    )
    right = [[float(item == (user + 1) % 4) for item in range(4)] for user in range(40)]
    wrong = [[-value for value in row] for row in right]
    rival = right if strong_rival else wrong
    splits = {"train": TEST, "validation": KNOWN, "test": TEST}
    scores = {"optimized": right, "popularity": wrong, "item_knn": rival}
    made = board(wanted, KNOWN, "recall_at_1", splits, **scores)
    made.settings["item_knn"] = {"k": 100, "shrink": 5}
    made.failures[left_out] = "the catalogue is too large"
    made.num_diverged = num_diverged
    fewer = 2 if strong_rival else 1
    halves = {metric: values / fewer for metric, values in made.seeds[0].per_user.items()}
    made.seeds.append(replace(made.seeds[0], per_user=halves))
    search = {
        "best_trial": {"value": 0.8},
        "random": {"recall_at_1": 0.25},
        "num_users": 3,
        "advice": ["search more", "or else"],
    }
    return assess(made, catalogue_of(FRAME), FRAME, search, seed=1)


def test_what_is_printed() -> None:
    lines = list(summary(assessment()))
    assert lines[0] == "test recall_at_1 on 40 users, with 95 % confidence intervals:"
    assert [line.split()[0] for line in lines[1:6]] == [
        "optimized", "item_knn", "popularity", "ease", "random",
    ]  # fmt: skip
    assert lines[1].split(maxsplit=1)[1] == "1.0000  [0.9116, 1.0000]"
    assert lines[2].endswith("not beaten (p 1, p 1 for the mean over seeds)  k 100, shrink 5")
    assert "beaten (p 0.0001)" in lines[3]
    assert lines[4] == "  ease        skipped: the catalogue is too large"
    assert lines[6] == (
        "validation 0.8000 -> test 1.0000 "
        "(mean over 2 training seeds 0.7500, standard deviation 0.3536)"
    )
    assert lines[7] == (
        "  from validation to test: training rows 40 -> 40; events -9.5 days later on average; "
        "random ranking 0.2500 -> 0.3333"
    )
    assert lines[8].startswith("note: 72% of the training rows are later")
    assert lines[-3] == (
        "verdict: signal, but not shown to beat item_knn "
        "(+0.0000, p 1, p 1 for the mean over seeds)"
    )
    assert lines[-2:] == ["next: search more", "next: or else"]


def test_no_claim_to_beat_every_baseline_where_a_strong_one_was_left_out() -> None:
    found = assessment(strong_rival=False)
    assert found.verdict["verdict"] == "beats every baseline that was run"
    assert list(summary(found))[-1] == (
        "verdict: beats every baseline that was run (ease left out: the catalogue is too large)"
    )


def test_a_weak_baseline_that_was_left_out_is_named() -> None:
    found = assessment(strong_rival=False, left_out="recency_popularity")
    assert found.verdict["verdict"] == "beats every baseline"
    assert list(summary(found))[-1] == "verdict: beats every baseline (skipped: recency_popularity)"


def test_a_baseline_that_is_better_says_so() -> None:
    known = assessment()
    known.verdict["comparisons"]["item_knn"] |= {"worse": True, "p_value_worse": 0.004}
    assert "  better (p 0.004)" in line_of(known, "item_knn")


def test_a_setting_that_a_sample_of_users_chose_says_so() -> None:
    known = assessment()
    known.metrics["item_knn"]["chosen_on_users"] = 5000
    assert line_of(known, "item_knn").endswith("  k 100, shrink 5, chosen on 5,000 users")


def line_of(assessment: Assessment, start: str) -> str:
    return next(line for line in summary(assessment) if line.strip().startswith(start))


def test_seeds_with_which_the_training_diverged_are_counted() -> None:
    line = line_of(assessment(num_diverged=2), "validation")
    assert line.endswith("deviation 0.3536); training diverged with 2 further seeds")


def test_a_model_that_is_the_default_one_says_so() -> None:
    same = assessment()
    same.metrics["default"] = same.metrics["optimized"]
    same.verdict["left_out"]["default"] = "same hyperparameters as the optimized model"
    assert line_of(same, "default").endswith("1.0000  same hyperparameters as the optimized model")


def test_a_wide_interval_has_too_few_users() -> None:
    known = assessment()
    ends = known.intervals["intervals"]["optimized"]
    ends["recall_at_1"] = [0.5, 0.75]
    assert line_of(known, "optimized").endswith("[0.5000, 0.7500]")
    ends["recall_at_1"] = [0.45, 0.75]
    assert line_of(known, "optimized").endswith("[0.4500, 0.7500] too few users")


def test_where_the_mean_over_seeds_alone_stands_in_the_way_it_is_named() -> None:
    known = assessment()
    comparison = known.verdict["comparisons"]["popularity"]
    comparison |= {"beaten": False, "p_value": 0.03}
    comparison["over_seeds"] |= {"p_value": 0.06}
    want = "not beaten (p 0.03, p 0.06 for the mean over seeds)"
    assert line_of(known, "popularity").endswith(want)


def test_what_is_printed_without_scores() -> None:
    nothing = unscored("there is no test split", catalogue_of(FRAME))
    assert list(summary(nothing)) == [
        "model written to .artifacts_best/, without test scores: there is no test split"
    ]
