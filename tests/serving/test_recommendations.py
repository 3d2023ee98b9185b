"""How answers are printed."""

from dataclasses import replace

from tests.serving.conftest import LINE
from tests.serving.test_recommender import Make
from twotower.serving import Recommender
from twotower.serving.recommendations import PRINTED


def test_a_console_shows_a_row_per_item_and_each_query_once(small: Recommender) -> None:
    small.titles = {1003: "Cup", 1000: "A  pot\nof " + "tea" * 20}
    assert repr(small.recommend([100, 7], k=2)).splitlines() == [
        "user_id  source      rank  item_id  title                                      score",
        "100      model          1  1003     Cup                                       4.0000",
        "                        2  1002                                               3.0000",
        f"7        popularity     1  1000     A pot of {'tea' * 10}…" + " " * 7 + "3",
        "                        2  1003     Cup                                            1",
    ]


def test_a_console_is_not_told_to_do_anything(small: Recommender) -> None:
    small.titles = {1003: "\x1b[31mCup\u202e"}
    assert "  \\x1b[31mCup\\u202e  " in repr(small.recommend([100], k=1))


def test_without_titles_there_is_no_such_column(small: Recommender) -> None:
    found = small.recommend([100], k=1)
    assert repr(found).splitlines()[0].split() == ["user_id", "source", "rank", "item_id", "score"]
    assert list(found.to_frame()) == ["user_id", "rank", "item_id", "score", "source"]


def test_a_query_without_items_says_so(small: Recommender) -> None:
    found = small.similar_items([7, 1004], k=1)
    assert repr(found).splitlines()[1].split() == ["7", "unknown", "none"]
    assert found._repr_html_().count("<tr>") == 3
    named = replace(found, titles={})
    assert named._repr_html_().count("<td>") == 2 * 4


def test_a_notebook_shows_escaped_text_and_spans_the_rows_of_a_query(make: Make) -> None:
    model = make([[1.0]], LINE[:2], [], users=["<i>"], items=["<b>", "&"])
    model.titles = {"&": "<script>"}
    table = model.recommend(["<i>"], k=2)._repr_html_()
    assert '<th rowspan="2">&lt;i&gt;</th><th rowspan="2">model</th><td>1</td>' in table
    assert "<td>&amp;</td><td>&lt;script&gt;</td><td>2.0000</td>" in table
    assert "<i>" not in table
    assert "<b>" not in table


def test_only_the_first_queries_are_printed(small: Recommender) -> None:
    found = small.recommend([100] * (PRINTED + 1234), k=1)
    assert len(repr(found).splitlines()) == 1 + PRINTED + 1
    assert repr(found).endswith("\n… and 1,234 more users")
    assert found._repr_html_().endswith("<p>… and 1,234 more users</p>")


def test_lines_count_and_a_query_that_is_cut_says_so(small: Recommender) -> None:
    found = small.recommend([100, 101, *[100] * PRINTED], k=3, exclude_seen=False)
    assert found.counts.tolist() == [3] * (PRINTED + 2)
    lines = repr(found).splitlines()
    assert len(lines) == 1 + PRINTED + 1
    assert lines[-1] == "… and 42 more users"
    few = replace(
        found,
        queries=found.queries[:21],
        item_idx=found.item_idx[:21],
        scores=found.scores[:21],
        source=found.source[:21],
    )
    assert repr(few).splitlines()[-1] == "… and 1 more user"


def test_a_long_list_is_cut(make: Make) -> None:
    model = make([[1.0]], [[float(n)] for n in range(PRINTED + 7)], [])
    lines = repr(model.recommend_from_histories([[1000], [1001]], k=1000)).splitlines()
    assert len(lines) == 1 + PRINTED + 1 + 1
    assert lines[-2].split() == ["…", "6", "more"]
    assert lines[-1] == "… and 1 more history"


def test_nobody_asks_and_a_header_is_printed(small: Recommender) -> None:
    assert repr(small.recommend([])).split() == ["user_id", "source", "rank", "item_id", "score"]


def test_frames_have_titles_where_they_are_known(small: Recommender) -> None:
    small.titles = {1003: "Cup"}
    frame = small.recommend([100], k=2).to_frame()
    assert frame["title"].tolist() == ["Cup", None]
    assert list(frame)[2:4] == ["item_id", "title"]


def test_a_recommender_says_how_much_it_knows(small: Recommender) -> None:
    assert repr(small) == "<Recommender: 3 users, 5 items>"
