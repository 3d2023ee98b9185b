"""`twotower ab`, and what it measures: events in the windows of the users of each arm."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.ab.test_exposures import line, written
from tests.cli.command import error_of, twotower
from twotower.ab.assignment import assign

USERS = 400
at_the_test = pytest.mark.usefixtures("test")


@pytest.fixture
def test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """200 users in each arm, exposed on the first; 50 buy in the control, 80 in the treatment."""
    monkeypatch.chdir(tmp_path)
    arms = ["control", "treatment"]
    written(
        tmp_path / "log.jsonl",
        [line(user, arms[user % 2], model="ab"[user % 2], items=[1, 2]) for user in range(USERS)],
    )
    rows = [
        (user, 1 + user % 3, "2026-11-02T12:00:00Z", "purchase", 2.0)
        for user in [*range(0, 100, 2), *range(1, 160, 2)]
    ]
    rows += [
        (10, 1, "2026-11-01T11:59:59Z", "purchase", 99.0),  # before the exposure
        (10, 1, "2026-11-02T13:00:00Z", "view", 99.0),  # of another type
        (10, 1, "2026-11-08T12:00:00Z", "purchase", 99.0),  # the window is over
        (12, 3, "2026-11-02T12:30:00Z", "purchase", 5.0),  # the same user again
        (9_999, 1, "2026-11-20T00:00:00Z", "purchase", 99.0),  # never exposed
    ]
    columns = ["user_id", "item_id", "timestamp", "event", "weight"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "orders.csv", index=False)
    return tmp_path


def measured(*options: Any, status: int = 0) -> dict[str, Any]:
    line = ["ab", "log.jsonl", "orders.csv", "--event", "purchase", "--json", "out.json", *options]
    twotower(*line, status=status)
    content: dict[str, Any] = json.loads(Path("out.json").read_text())
    return content


def means(found: dict[str, Any]) -> list[float]:
    return [found["arms"][arm]["mean"] for arm in ("control", "treatment")]


@at_the_test
def test_each_outcome_by_hand() -> None:
    assert means(measured()) == [50 / 200, 80 / 200]
    assert means(measured("--outcome", "events")) == [51 / 200, 80 / 200]
    assert means(measured("--outcome", "value")) == [105 / 200, 160 / 200]
    # Items 1 and 2 were recommended: those of every third user were not.
    bought = [sum(user % 3 < 2 for user in users) for users in (range(0, 100, 2), range(1, 160, 2))]
    assert means(measured("--recommended")) == [count / 200 for count in bought]


@at_the_test
def test_the_report() -> None:
    words = ["ab", "log.jsonl", "orders.csv", "--event", "purchase", "--horizon", "2026-11-20"]
    plain = twotower(*words).stdout
    assert re.search(
        r"^relative lift +\+60\.00% +\+\d+\.\d\d% … \+\d+\.\d\d%$", plain, re.MULTILINE
    )
    assert "the treatment is better (p 0.0012, at most 0.05)" in plain
    assert "one look, at the horizon 2026-11-20T00:00:00Z" in plain
    markdown = twotower(*words, "--markdown").stdout
    assert "| relative lift | +60.00% |" in markdown
    found = measured("--horizon", "2026-11-20")
    assert found["looks"] == "one"
    assert found["lift"]["difference"]["value"] == pytest.approx(0.15)
    many = measured()
    assert many["looks"] == "any number"
    assert many["lift"]["p_value"] > found["lift"]["p_value"]


def test_users_whose_window_has_not_passed_do_not_count(test: Path) -> None:
    late = [line(user, "control", time="2026-11-15T00:00:00Z") for user in (1_000, 1_001)]
    written(test / "log.jsonl", [(test / "log.jsonl").read_text(), *late])
    found = measured()
    assert found["users_left_out"]["whose window has not passed"] == 2
    assert found["arms"]["control"]["users"] == 200
    assert measured("--until", "2026-11-22")["arms"]["control"]["users"] == 202


@at_the_test
def test_arms_of_other_sizes_than_the_share_have_no_result() -> None:
    found = measured("--share", "0.3", status=1)
    assert found["sample_ratio"]["is_uneven"]
    assert found["lift"] is None
    printed = twotower("ab", "log.jsonl", "orders.csv", "--share", "0.3", status=1).stdout
    assert "NO RESULT" in printed
    assert "better" not in printed


def test_users_in_both_arms_do_not_count_and_many_are_a_warning(test: Path) -> None:
    both = [line(user, "treatment", model="a") for user in range(0, 10, 2)]
    written(test / "log.jsonl", [(test / "log.jsonl").read_text(), *both])
    found = measured()
    assert found["users_left_out"]["in both arms"] == 5
    assert found["arms"]["control"]["users"] == 195
    said = " ".join(found["warnings"])
    assert "5 of 400 users were in both arms" in said
    assert "model a answered in both arms" in said


def test_too_few_events_give_no_interval(test: Path) -> None:
    rows = (test / "orders.csv").read_text().splitlines()
    (test / "orders.csv").write_text("\n".join([*rows[:20], *rows[-2:]]) + "\n")
    assert measured()["lift"] is None
    assert "too early" in twotower("ab", "log.jsonl", "orders.csv").stdout


def test_dates_without_a_time_of_day_are_pointed_out(test: Path) -> None:
    orders = pd.read_csv(test / "orders.csv")
    orders["timestamp"] = orders["timestamp"].str[:10]
    orders.to_csv(test / "orders.csv", index=False)
    assert "dates without a time of day" in twotower("ab", "log.jsonl", "orders.csv").stdout


@at_the_test
def test_arms_by_model_and_an_a_a_test_by_assignment() -> None:
    assert means(measured("--control", "a", "--treatment", "b")) == [50 / 200, 80 / 200]
    found = measured("--experiment", "other", "--assigned", "--share", "0.4")
    treated = sum(assign(user, "other", 0.4) for user in range(USERS))
    assert found["arms"]["treatment"]["users"] == treated


Change = Callable[[pd.DataFrame], pd.DataFrame]


@at_the_test
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--horizon", "2026-12-01"], "the horizon, 2026-12-01T00:00:00Z, has not been reached"),
        (["--horizon", "soon"], "--horizon: must be a date or time such as"),
        (["--window", "30"], "no user counts: for none of them the whole window has passed"),
        (["--window", "0"], "--window: must be above 0, not 0"),
        (["--share", "1"], "--share: must be between 0 and 1, not 1"),
        (["--outcome", "event"], "--outcome: must be one of users, events, value"),
        (["--event", "purchse"], "got 'purchse'; did you mean purchase?"),
        (["--experiment", "y"], "none of its 400 lines counts"),
        (["--control", "a"], "--control and --treatment: give both, or none"),
        (["--control", "a", "--treatment", "b", "--assigned"], "leave out --experiment and"),
        (["--assigned"], "give --experiment"),
    ],
)
def test_what_cannot_be_measured_is_one_line(options: list[str], said: str) -> None:
    assert said in error_of("ab", "log.jsonl", "orders.csv", *options)


@at_the_test
@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: t.drop(columns="timestamp"), [], "there is no column of times"),
        (lambda t: t.drop(columns="weight"), ["--outcome", "value"], "no column of weights"),
        (lambda t: t.drop(columns="event"), ["--event", "view"], "--event needs a column"),
        (lambda t: t.assign(user_id="u" + t["user_id"].astype(str)), [], "must be an integer"),
        (lambda t: t.assign(timestamp="soon"), [], "must be a time"),
    ],
)
def test_events_that_lack_something(change: Change, options: list[str], said: str) -> None:
    change(pd.read_csv("orders.csv")).to_csv("orders.csv", index=False)
    assert said in error_of("ab", "log.jsonl", "orders.csv", *options)


@at_the_test
def test_files_that_are_not_there() -> None:
    assert "none.csv: no such file" in error_of("ab", "log.jsonl", "none.csv")
    assert "none: no such file" in error_of("ab", "none", "orders.csv")
