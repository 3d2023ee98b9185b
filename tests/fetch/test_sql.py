"""Which queries say how their rows are sorted."""

import pytest

from twotower.fetch.sql import Query


@pytest.mark.parametrize(
    ("text", "is_ordered"),
    [
        ("SELECT a FROM t", False),
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t order\n  by a desc limit 5 ; ", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a) AS x", False),
        ("SELECT row_number() OVER (PARTITION BY (a) ORDER BY b) FROM t", False),
        ("WITH x AS (SELECT a FROM t ORDER BY a) SELECT a FROM x ORDER BY 1", True),
        ("SELECT 'it''s ORDER BY a' FROM t", False),
        ('SELECT "order by" FROM t', False),
        ("SELECT a FROM t -- ORDER BY a", False),
        ("SELECT a /* ORDER\nBY a */ FROM t", False),
        ("SELECT ')' FROM t ORDER BY a", True),
        ("SELECT $x$ ORDER BY $x$ FROM t", False),
        (r"SELECT E'it\'s', ' ORDER BY ' FROM t", False),
        ("SELECT border by_name FROM t", False),
    ],
)
def test_only_the_outermost_order_counts(text: str, is_ordered: bool) -> None:
    assert Query.of(text).is_ordered is is_ordered


def test_a_comment_at_the_end_stays_inside() -> None:
    query = Query.of("SELECT a, b FROM t -- all;\n")
    inner = "SELECT * FROM (\nSELECT a, b FROM t -- all;\n) AS fetched "
    assert query.sorted_by(2) == inner + "ORDER BY 1, 2"
    assert query.without_rows == inner + "WHERE 1 = 0"


@pytest.mark.parametrize("end", ["", "; -- all", ";\n/* all; */\n-- of them\n", " ; ;"])
def test_what_follows_the_last_semicolon_is_left_out(end: str) -> None:
    text = "SELECT a FROM t WHERE b = ';--'"
    assert Query.of(text + end).text == text
