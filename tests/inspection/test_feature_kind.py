from collections.abc import Sequence
from typing import Any

import pytest

from tests.inspection.columns import column
from twotower.inspection.feature_kind import feature_kind

GENRES = ("a|b", "a", "b|c", "c", "a|c", "b", "a|b|c")


def kind(values: Sequence[Any], name: str = "c", role: str = "items", decimal: str | None = None):
    return feature_kind(column(values, name), role, decimal)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["red", "blue", "red"], ("categorical", None)),
        (["1.5", "2", "2.5", "4"], ("numeric", None)),
        (["1.5", "2", "", "2.5", "4"], ("numeric", None)),
        (["0", "1", "0"], ("categorical", None)),  # a flag
        ([True, False, True], ("categorical", None)),
        (GENRES, ("multi_valued", "|")),
        ([cell.replace("|", ", ") for cell in GENRES], ("multi_valued", ",")),
        ([["x"], ["x", "y"]], ("multi_valued", None)),
        ([[1, 2], [3, 2]], ("multi_valued", None)),
        ([[0.5, 2.0], None, [1.0, 4.0]], ("vector", None)),
        ([["0.5", "2"], ["1", "4"]], ("vector", None)),
        (["Home & Garden", "Sport", "Home & Garden"], ("categorical", None)),
    ],
)
def test_features(values: Sequence[Any], expected: tuple[str, str | None]) -> None:
    found = kind(values)
    assert (found.kind, found.separator) == expected


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("email", ["a@b.com", "c@d.org"], "personal data"),
        ("contact", ["a@b.com", "c@d.org"], "personal data"),
        ("apellidos", ["Ruiz", "Gil", "Ruiz"], "personal data"),
        ("birthDate", ["1990-01-01", "1991-01-01"], "personal data"),
        ("c", ["x", "x"], "all the same"),
        ("c", ["", None], "blank"),
        ("c", ["x", "y", "", "", ""], "60% blank"),
        ("c", [[0.5, 1.5], None, None, None, [0.0, 1.0]], "60% blank"),
        ("picture", ["https://a.com/1.png", "https://a.com/2.png"], "links"),
        ("uuid", ["f1", "f2"], "ids"),
        ("Unnamed: 0", [str(n) for n in range(40)], "numbers of the rows"),
        ("since", ["2020-01-01", "2021-01-01"], "times"),
        ("c", [f"{n}" for n in range(30)] + ["n/a"], "numbers, but also 'n/a'"),
        ("c", [f"text number {n}" for n in range(50)], "50 different texts"),
    ],
)
def test_no_features(name: str, values: list[Any], reason: str) -> None:
    found = kind(values, name, role="users")
    assert (found.kind, found.reason) == ("", reason)


def test_names_of_things_are_no_personal_data() -> None:
    assert kind(["Pen", "Cup", "Pen"], "nombre", role="items").kind == "categorical"
    assert kind(["Ana", "Bea", "Ana"], "nombre", role="users").reason == "personal data"


def test_titles_are_texts_of_items() -> None:
    texts = [f"Blue mug no. {n}" for n in range(50)]
    assert kind(texts).is_title
    assert not kind(texts, role="users").is_title
    assert not kind([text * 9 for text in texts]).is_title
    assert not kind([f"{n},50 €" for n in range(50)]).is_title
    assert not kind([f"{n},50 EUR" for n in range(50)]).is_title


def test_names_of_few_words_are_titles_and_no_tags() -> None:
    names = [f"{one} {other}" for one in "ABCDEFG" for other in "HIJKLMN"]
    assert kind(names, "tags").separator == " "
    assert kind(names, "name").is_title
    assert kind(GENRES, "name").separator == "|"


def test_numbers_with_a_type_need_no_mark() -> None:
    assert kind([1.5, 2.5, 3.5, 4.0], decimal=",").kind == "numeric"


def test_a_comma_that_may_be_either_is_numeric() -> None:
    assert kind(["1,125", "1,126", "2", "3"]).kind == "numeric"
    assert kind(["1,125", "0,126", "2", "3"]).reason == "numbers with another decimal mark than '.'"


def test_numbers_that_count_nothing() -> None:
    codes = [str(28000 + n % 10) for n in range(40)]
    assert kind(codes, "zip").kind == "categorical"
    assert kind(codes, "category_id").kind == "categorical"
    assert kind(codes, "height").kind == "numeric"


def test_the_mark_of_the_other_files() -> None:
    values = ["1,5", "2,5", "3,5", "4,5"]
    assert kind(values, decimal=",").kind == "numeric"
    assert "another decimal mark" in kind(values, decimal=".").reason
    assert "another decimal mark" in kind(["1.5", "2.5"], decimal=",").reason
