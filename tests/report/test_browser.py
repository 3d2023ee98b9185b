"""The page in a real browser: every plot is drawn, nothing fails, nothing is asked of anyone."""

from pathlib import Path

import pytest

from tests.report.browser import has_browser, look
from tests.report.pictures import PARTS, SCHEMES, draw
from twotower.report.page import render
from twotower.report.sources import Sources

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="no Chrome or Chromium on this machine"),
]
NUM_PLOTS = "document.querySelectorAll('.js-plotly-plot').length"
EMPTY_PLOTS = """
[...document.querySelectorAll(".js-plotly-plot")]
  .filter((plot) => !plot.querySelector(".trace path, .point path, .bars path, .scatter path"))
  .map((plot) => plot.id)
"""
IS_WITHIN = "document.documentElement.scrollWidth <= innerWidth"
CUT_OFF = """
new Promise((resolve) => {
  const end = Date.now() + 5000;
  const look = () => {
    const wide = [...document.querySelectorAll(".grid .plot")]
      .filter((plot) => plot.scrollWidth > plot.clientWidth + 1)
      .map((plot) => plot.querySelector(".js-plotly-plot").id);
    wide.length && Date.now() < end ? setTimeout(look, 100) : resolve(wide);
  };
  look();
})
"""
"""Plots of grids that are wider than their cells; plotly takes its time to fit them."""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
HOVERED = """
(async () => {
  const plot = document.getElementById("chart-item_map");
  for (let curve = 0; curve < plot.data.length; curve++)
    for (let point = 0; point < plot.data[curve].x.length; point++) {
      Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: point}]);
      await new Promise(requestAnimationFrame);
    }
})()
"""
"""Every item is pointed at, so that plotly shows its title."""
FOREIGN = """
[document.body.dataset.pwned ?? null, ...[...document.querySelectorAll("*")]
  .filter((each) => each.matches("img, iframe, object, embed, svg a") ||
    [...each.attributes].some(({name, value}) => name.startsWith("on") || /script:/i.test(value)))
  .map((each) => each.outerHTML)]
"""
"""What titles, ids and categories have made of the page beside text; null: no script ran."""
PHONE = 390


@pytest.fixture(scope="module")
def page(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "a report.html"
    path.write_text(render(sources), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (PHONE, "dark")])
def test_every_plot_is_drawn_and_nothing_leaves_the_page(
    page: Path, width: int, scheme: str
) -> None:
    expressions = (NUM_PLOTS, EMPTY_PLOTS, IS_WITHIN, CUT_OFF, BACKGROUND)
    seen = look(page, *expressions, width=width, scheme=scheme)
    assert seen.problems == []
    assert seen.requests == [page.as_uri()]
    num_plots, empty, is_within, cut_off, background = seen.values
    assert num_plots == page.read_text(encoding="utf-8").count("Plotly.newPlot(")
    assert empty == []
    assert is_within
    assert cut_off == []
    assert background == ("rgb(17, 22, 27)" if scheme == "dark" else "rgb(244, 246, 248)")


def test_what_goes_wrong_would_be_seen(page: Path, tmp_path: Path) -> None:
    """Requests are refused by the page's policy, not only left out."""
    faults = (
        '<img src="http://127.0.0.1:9/x.png"><div id="void"></div>'
        '<script>Plotly.newPlot("void", []); throw new Error("broken")</script></body>'
    )
    path = tmp_path / "faulty.html"
    text = page.read_text(encoding="utf-8")
    path.write_text(text.replace("</body>", faults), encoding="utf-8")
    seen = look(path, EMPTY_PLOTS)
    assert "Content Security Policy" in " ".join(seen.problems)
    assert "broken" in " ".join(seen.problems)
    assert seen.values == [["void"]]


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height, which stand near the beginning of a PNG file."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_the_pictures_of_the_readme(page: Path, tmp_path: Path) -> None:
    draw(page, tmp_path)
    for part in PARTS:
        light, dark = (tmp_path / f"{part}-{scheme}.png" for scheme in SCHEMES)
        assert size_of(light) == size_of(dark)
        assert min(size_of(light)) > 300
        assert light.read_bytes() != dark.read_bytes()


def test_titles_ids_and_categories_are_text_and_nothing_else(page: Path) -> None:
    seen = look(page, HOVERED, FOREIGN)
    assert seen.problems == []
    assert seen.requests == [page.as_uri()]
    assert seen.values[1] == [None]
