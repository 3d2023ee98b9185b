import re

import plotly.graph_objects as go

from twotower.plots.chart import Chart
from twotower.plots.pages import SCRIPT, write_pages

FIGURE = Chart("bars", "Bars & <more>", go.Figure(go.Bar(y=[1, 2])))
NOTHING = Chart("none", "None", None, "Nothing <here>: run dvc repro.")


def test_a_page_has_language_title_and_one_local_script(tmp_path):
    files = write_pages([FIGURE], tmp_path)
    page = files[0].read_text()

    assert [path.name for path in files] == ["bars.html", SCRIPT]
    assert '<html lang="en">' in page
    assert "<title>Bars &amp; &lt;more&gt;</title>" in page
    assert re.findall(r'src="([^"]*)"', page) == [SCRIPT]
    assert "http://" not in page
    assert "https://" not in page
    assert 'id="bars"' in page
    assert '"responsive": true' in page


def test_a_page_without_a_figure_is_a_sentence(tmp_path):
    page = write_pages([NOTHING], tmp_path)[0].read_text()

    assert "<p>Nothing &lt;here&gt;: run dvc repro.</p>" in page
    assert "<script" not in page


def test_the_script_is_written_even_if_no_page_needs_it(tmp_path):
    assert write_pages([NOTHING], tmp_path)[-1].stat().st_size > 1_000_000


def test_notes_are_below_the_figure_with_their_commands_set_apart(tmp_path):
    note = "lr <b> is bad: dvc exp run -S 'hpo.search_space.lr.low=0.001'"
    chart = Chart("bars", "Bars", go.Figure(go.Bar(y=[1, 2])), notes=(note,))
    page = write_pages([chart], tmp_path)[0].read_text()

    command = "dvc exp run -S &#39;hpo.search_space.lr.low=0.001&#39;"
    item = f"<li>lr &lt;b&gt; is bad: <code>{command}</code>"
    assert item in page
    assert page.index('id="bars"') < page.index(item)
    assert "<li>" not in write_pages([FIGURE], tmp_path)[0].read_text()
