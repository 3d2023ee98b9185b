"""Lines are alike if only their figures differ."""

import pytest

from tests.documents.shape import missing, shape, stands_for


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("recall_at_10     0.2014   +0.0228 *", "recall_at_10 0.3 -1e-05"),
        ("25 files pushed", "1,024 files pushed"),
        ("└── 66bb2a9 [baseline] 09:10 PM  0.1", "└── 0fdc9aa [baseline] 11:59 AM  0.99"),
        ("[[1709, 697], [1, 2]]", "[[1, 2], [3, 4]]"),
    ],
)
def test_figures_and_blanks_may_differ(one: str, other: str) -> None:
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("recall_at_10 0.2", "recall_at_20 0.2"),
        ("1 trial", "2 trials"),
        ("default 0.2", "effaced 0.2"),
        ("user_tower id", "user_tower history"),
    ],
)
def test_words_may_not(one: str, other: str) -> None:
    assert shape(one) != shape(other)


@pytest.mark.parametrize(
    ("documented", "absent"),
    [
        (["a 1", "c 3"], None),
        (["a 1", "…", "c …"], None),
        (["a 9", "a 8"], None),
        (["c 1", "", "a 2"], None),
        (["b"], "b"),
        (["b …"], None),
        (["d …"], "d …"),
    ],
)
def test_documented_lines_are_among_those_printed(
    documented: list[str], absent: str | None
) -> None:
    assert missing(documented, ["a 4", "b 5 and more", "c 6"]) == absent


def test_a_line_with_an_omission_stands_for_the_real_one_with_its_figures() -> None:
    assert stands_for("note: 26% of the …", "note: 26% of the rows")
    assert not stands_for("note: 27% of the …", "note: 26% of the rows")
    assert not stands_for("note: 26% of", "note: 26% of the rows")
