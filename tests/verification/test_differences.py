"""By how much two files differ, of each kind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twotower.verification.differences import Difference, compared_values, difference


def both(folder: Path, name: str, *contents: str | bytes) -> list[Path]:
    """The committed file and the new one."""
    paths = []
    for side, content in zip(("committed", "new"), contents, strict=True):
        path = folder / side / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return paths


def test_the_largest_relative_difference_of_json_is_said_with_its_key(tmp_path: Path) -> None:
    committed = {"mrr": 0.5, "trials": [{"value": 4.0, "name": "a"}]}
    new = {"mrr": 0.5000001, "trials": [{"value": 4.4, "name": "a"}]}  # .4 of 4.4
    found = difference(*both(tmp_path, "m.json", json.dumps(committed), json.dumps(new)))
    assert found.text == "by 9.1e-02 of its value at most (trials.0.value)"
    assert found.relative == pytest.approx(0.4 / 4.4)
    assert found.others == ()


def test_cells_of_csv_are_named_by_column_and_row(tmp_path: Path) -> None:
    pair = both(tmp_path, "m.csv", "scorer,value\na,1\nb,\n", "scorer,value\na,2\nb,\n")
    assert difference(*pair) == Difference("by 5.0e-01 of its value at most (value in row 1)", 0.5)


@pytest.mark.parametrize(
    ("committed", "new", "others"),
    [
        ({"a": "x"}, {"a": "y"}, ("a",)),
        ({"a": True}, {"a": False}, ("a",)),
        ({"a": 1}, {}, ("a",)),
        ({}, {"a": None}, ("a",)),
        ({"a": 1.0}, {"a": None}, ("a",)),
        ({"a": True}, {"a": 1}, ()),  # as Python has it
    ],
)
def test_what_is_no_number_is_the_same_or_not(
    committed: dict[str, Any], new: dict[str, Any], others: tuple[str, ...]
) -> None:
    found = compared_values(committed, new)
    assert found.others == others
    assert found.relative == 0.0


def test_many_others_are_counted() -> None:
    keys = ["a", "b", "c", "d"]
    found = compared_values(
        dict.fromkeys(keys, "x") | {"n": 1}, dict.fromkeys(keys, "y") | {"n": 2}
    )
    assert found.text == "by 5.0e-01 of its value at most (n); other a, b and 2 more"


def test_zero_and_a_number_differ_by_all_of_it() -> None:
    assert compared_values({"a": 0.0}, {"a": 1e-9}).relative == 1.0
    assert compared_values({"a": 0}, {"a": -0.0}).relative == 0.0


def test_a_cell_without_a_finite_number_is_compared_as_text(tmp_path: Path) -> None:
    for name, cell in (("a", "nan"), ("b", "inf")):
        (tmp_path / f"{name}.csv").write_text(f"loss\n{cell}\n", encoding="utf-8")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    assert difference(a, a) == Difference("", 0.0)
    assert difference(a, b).others == ("loss in row 1",)


def save(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def test_vectors_differ_by_their_largest_absolute_difference(tmp_path: Path) -> None:
    a = np.zeros((5, 3), np.float32)
    b = a.copy()
    b[4, 1] = -0.25
    found = difference(save(tmp_path / "a.npy", a), save(tmp_path / "b.npy", b))
    assert found == Difference("by 2.5e-01 at most")


def test_vectors_of_another_shape_or_type_say_so(tmp_path: Path) -> None:
    a = save(tmp_path / "a.npy", np.zeros((5, 3), np.float32))
    b = save(tmp_path / "b.npy", np.zeros((4, 3)))
    assert difference(a, b).text == "float64 [4, 3], not float32 [5, 3]"


def test_other_kinds_and_damaged_files_only_differ(tmp_path: Path) -> None:
    assert difference(*both(tmp_path, "plot.html", "a", "b")) == Difference()
    for name, content in {"a.json": "{", "a.npy": b"x", "b.json": b"\xff"}.items():
        found = difference(*both(tmp_path, name, content, content))
        assert found.text == "not readable as what its name says"
