"""Logs of exposures: what counts, what is left out, what is refused."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twotower.ab.arms import ArmsByModel, LoggedArms, arms_by_assignment
from twotower.ab.assignment import assign
from twotower.ab.exposures import Exposures, read_exposures, seconds_of
from twotower.common.errors import ConfigError, DataError
from twotower.data.id_text import IdText

NOON = "2026-11-01T12:00:00Z"


def line(user: Any, arm: str | None = "control", **other: Any) -> dict[str, Any]:
    made = {"time": NOON, "request_id": f"r{user}", "model": "a1", "user_id": user, "items": [1]}
    return {**made, "source": "model", "experiment": "x" if arm else None, "arm": arm, **other}


def written(path: Path, lines: Sequence[Any]) -> Path:
    texts = [one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines]
    path.write_text("".join(texts), encoding="utf-8")
    return path


def read(path: Path, arm_of: Any = None, **options: Any) -> Exposures:
    return read_exposures(path, arm_of or LoggedArms(None), IdText(), **options)


def test_the_first_exposure_of_each_user(tmp_path: Path) -> None:
    later, sooner = "2026-11-03T00:00:00.5Z", "2026-11-02T02:00:00+02:00"
    log = written(
        tmp_path / "log.jsonl",
        [line(7, time=later), line(8, "treatment"), "\n", line(7, time=sooner, request_id="other")],
    )
    found = read(log)
    assert found.users.tolist() == [7, 8]
    # Midnight of 2 November, UTC: 20,759 days after 1970; noon of the first is half a day earlier.
    assert found.first.tolist() == [20_759 * 86_400, 20_758.5 * 86_400]
    assert found.in_control.tolist() == [True, False]
    assert found.in_treatment.tolist() == [False, True]
    assert (found.num_lines, found.duplicates) == (3, 0)
    assert found.models == {(False, "a1"): 2, (True, "a1"): 1}


def test_what_does_not_count_is_counted(tmp_path: Path) -> None:
    cut = json.dumps(line(9))[:40]
    lines = [line(7), line(7), line(None), line(5, None), line(7, "treatment", request_id="b"), cut]
    found = read(written(tmp_path / "log", lines))
    assert found.left_out == {
        "without a user": 1, "of another experiment or model": 1, "cut short": 1
    }  # fmt: skip
    assert found.duplicates == 1
    assert (found.in_control & found.in_treatment).tolist() == [True]


def test_a_request_for_several_users_is_no_duplicate(tmp_path: Path) -> None:
    log = written(tmp_path / "log", [line("a", request_id="r"), line("b", request_id="r")])
    assert read(log).duplicates == 0


def test_parts_of_a_folder_packed_or_not(tmp_path: Path) -> None:
    written(tmp_path / "1.jsonl", [line(7)])
    with gzip.open(tmp_path / "2.jsonl.gz", "wt") as handle:
        handle.write(json.dumps(line(8)) + "\n")
    (tmp_path / "3.jsonl.gz").write_bytes(b"")
    assert read(tmp_path).users.tolist() == [7, 8]
    (tmp_path / "2.jsonl.gz").write_bytes((tmp_path / "2.jsonl.gz").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"2\.jsonl\.gz: cannot be read"):
        read(tmp_path)


def test_text_is_written_as_in_the_data(tmp_path: Path) -> None:
    log = written(tmp_path / "log", [line("jose\u0301 "), line("jos\u00e9")])
    assert read_exposures(log, LoggedArms(None), IdText(nfc=True)).users.tolist() == ["jos\u00e9"]


def test_items_that_were_recommended_by_then(tmp_path: Path) -> None:
    lines = [
        line(7, items=["p", "q"], time="2026-11-02T00:00:00Z"),
        line(7, items=["p"], time="2026-11-01T00:00:00Z"),
        line(8, items=["q"], time="2026-11-01T00:00:00Z"),
    ]
    known = read(written(tmp_path / "log", lines), items=True).recommended
    assert known is not None
    assert known.items.tolist() == ["p", "q"]
    first = seconds_of("2026-11-01")
    users, items = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 0, -1])
    assert known.at(users, items, np.full(5, first)).tolist() == [True, False, True, False, False]
    assert known.at(users, items, np.full(5, first + 86_400)).tolist() == [
        True, True, True, False, False
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("not JSON\n", r"log, line 2: .*\('not JSON.n'\)"),
        ("[1]\n", "must be an object"),
        (line(7, time=3), "time must be text such as"),
        (line(7, time="yesterday"), "Invalid isoformat string: 'yesterday'"),
        (line(True), "user_id must be integers or text, not True"),
        (line("7"), "user_id must be all integers or all text; '7' comes after 1"),
        (line(7, "both"), "arm must be control or treatment, not 'both'"),
        (line(7, ["both"]), "arm must be control or treatment, not "),
        (line(7, experiment=["x"]), r"experiment must be text, not \['x'\]"),
        (line("\ud800"), "surrogates not allowed"),
        (line(7, time="9999-12-31T23:00-10:00"), "out of range"),
        (line(7, items=None), "items must be a list, not None"),
        (line(7, items=[1.5]), "items must be integers or text, not 1.5"),
        ("[" * 20_000 + "\n", "brackets are nested too deeply"),
    ],
)
def test_a_line_that_breaks_a_rule_is_an_error_or_left_out(
    tmp_path: Path, bad: Any, said: str
) -> None:
    log = written(tmp_path / "log", [line(1), bad, line(2)])
    with pytest.raises(DataError, match=said) as error:
        read(log, items=True)
    assert "data.on_invalid: drop" in str(error.value)
    found = read(log, items=True, drop=True)
    assert found.users.tolist() == [1, 2]
    assert found.left_out == {"invalid": 1}


def test_nothing_that_counts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "log")
    with pytest.raises(DataError, match="no files in this folder"):
        read(tmp_path)
    log = written(tmp_path / "log", [line(1), line(2, None)])
    with pytest.raises(DataError, match=r"2 lines counts: 2 of another.*experiment x, model a1"):
        read(log, LoggedArms("y"))


def test_of_several_experiments_one_is_named(tmp_path: Path) -> None:
    log = written(tmp_path / "log", [line(1), line(2, experiment="y")])
    with pytest.raises(DataError, match="several experiments, x and y: name one, --experiment"):
        read(log)
    assert read(log, LoggedArms("y")).users.tolist() == [2]


def test_arms_by_model_and_by_assignment(tmp_path: Path) -> None:
    log = written(tmp_path / "log", [line(user, None, model="abc"[user % 3]) for user in range(30)])
    found = read(log, ArmsByModel("a", "c"))
    assert found.users[found.in_treatment].tolist() == list(range(2, 30, 3))
    assert found.users[found.in_control].tolist() == list(range(0, 30, 3))
    found = read(log, arms_by_assignment("x", 0.4))
    assert found.in_treatment.tolist() == [assign(user, "x", 0.4) for user in range(30)]
    with pytest.raises(ConfigError, match="both are a"):
        ArmsByModel("a", "a")
