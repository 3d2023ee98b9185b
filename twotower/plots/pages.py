"""Charts as HTML files that open without a network."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from twotower.common.files import write_text
from twotower.plots.chart import Chart

SCRIPT = "plotly.min.js"
"""The one copy of plotly.js that all pages of a folder load; plotly's own name for it."""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html, body {{ height: 100%; margin: 0; }}
body {{ box-sizing: border-box; min-height: 460px; min-width: {width}; padding: 8px; color: #1f2933;
  background: #fff; font: 17px/1.6 Arial, Helvetica, sans-serif; }}
main {{ max-width: 42em; margin: 15vh auto 0; padding: 0 1em; }}
h1 {{ font-size: 20px; }}
ul {{ max-width: 60em; margin: 0 auto; padding: 1em 2em 2em; font-size: 15px; }}
li {{ margin: 0 0 .5em; }}
code {{ background: #f3f5f7; padding: 1px 4px; overflow-wrap: anywhere; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


COMMAND = re.compile(r"(?:dvc exp run|twotower preset) [^;]+")
"""Commands in a note, after the sentence that they belong to."""


def write_pages(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write each chart to `<name>.html`, and the script that they share.

    The same charts and the same plotly give the same bytes.

    Returns:
        The files written, the script last.
    """
    pages = [folder / f"{chart.name}.html" for chart in charts]
    for chart, page in zip(charts, pages, strict=True):
        write_text(page, _page(chart))
    write_text(folder / SCRIPT, get_plotlyjs())
    return [*pages, folder / SCRIPT]


def _page(chart: Chart) -> str:
    """The whole file; on a narrow screen a figure scrolls, and text wraps."""
    width = "0" if chart.figure is None else "720px"
    return PAGE.format(title=html.escape(chart.title), width=width, body=_body(chart))


def _body(chart: Chart) -> str:
    if chart.figure is None:
        title, reason = html.escape(chart.title), html.escape(chart.reason)
        return f"<main>\n<h1>{title}</h1>\n<p>{reason}</p>\n</main>"
    text: str = chart.figure.to_html(
        full_html=False,
        include_plotlyjs="directory",
        include_mathjax=False,
        default_height="82vh" if chart.notes else "100%",
        div_id=chart.name,
        config={"displaylogo": False, "responsive": True},
    )
    return text + _notes(chart)


def _notes(chart: Chart) -> str:
    """The notes as a list, with their commands set apart."""
    if not chart.notes:
        return ""
    lines = [with_commands(note) for note in chart.notes]
    return "\n<ul>\n" + "\n".join(f"<li>{line}</li>" for line in lines) + "\n</ul>"


def with_commands(line: str) -> Markup:
    """A line of advice with its commands set apart."""
    parts, end = [], 0
    for command in COMMAND.finditer(line):
        parts += [escape(line[end : command.start()]), Markup("<code>{}</code>").format(command[0])]
        end = command.end()
    return Markup("").join([*parts, escape(line[end:])])
