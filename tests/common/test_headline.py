from pathlib import Path

from twotower.common.headline import headline, headline_file


def test_the_objective_and_what_needs_no_cut_off() -> None:
    metrics = {"recall_at_10": 0.2, "recall_at_5": 0.1, "mrr": 0.3}
    assert headline("test", metrics, ["recall_at_10"], verdict="good") == {
        "test": {"recall_at_10": 0.2, "mrr": 0.3, "verdict": "good"}
    }
    assert headline("validation", metrics, ["mrr"]) == {"validation": {"mrr": 0.3}}
    several = headline("validation", metrics, ["recall_at_5", "recall_at_10", "recall_at_5_cold"])
    assert list(several["validation"]) == ["recall_at_5", "recall_at_10", "mrr"]


def test_nothing_scored() -> None:
    assert headline("test", None, ["recall_at_10"]) == {"test": {"scored": False}}


def test_its_file_is_the_namesake_of_the_details() -> None:
    assert headline_file(Path("metrics/test.json")) == Path("metrics/headline/test.json")
