"""The pictures and tables of docs/backtest.md.

Run as a module with a name, in a project where `twotower backtest` has run, it draws
docs/images/backtest-NAME.png of this repository, and prints the table of periods.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.conftest import REPOSITORY
from twotower.backtest import BACKTEST
from twotower.backtest.chart import draw_backtest
from twotower.backtest.outputs import read_backtest
from twotower.plots.pictures import write_pictures
from twotower.report.backtest import backtest_section

FOLDER = REPOSITORY / "docs" / "images"


def table(content: Mapping[str, Any]) -> Iterator[str]:
    """Lines of Markdown: what the report has of each period."""
    section = backtest_section(content)
    if section is None:
        return
    yield f"| {' | '.join(['period', 'users', *section.scorers, 'verdict'])} |"
    yield "|" + "---|" * (3 + len(section.scorers))
    for row in section.rows:
        yield f"| {' | '.join([row.period, row.users, *row.values, row.verdict])} |"


if __name__ == "__main__":
    found = read_backtest(BACKTEST)
    if found is None:
        sys.exit("run twotower backtest first")
    chart = replace(draw_backtest(found), name=f"backtest-{sys.argv[1]}")
    write_pictures([chart], FOLDER)
    sys.stdout.write("\n".join(table(found)) + "\n")
