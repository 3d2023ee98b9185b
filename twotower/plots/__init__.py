"""The results of a search as pages and pictures; the only user of plotly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twotower.plots.drawn_search import DrawnSearch, read_search
from twotower.plots.front_chart import draw_front
from twotower.plots.history_chart import draw_history
from twotower.plots.importance_chart import draw_importance
from twotower.plots.interpretation import interpret
from twotower.plots.pages import write_pages
from twotower.plots.parallel_chart import draw_parallel
from twotower.plots.pictures import BrowserError, remove_pictures, write_pictures
from twotower.plots.verdict_line import read_verdict

__all__ = ["BrowserError", "DrawnSearch", "Written", "read_search", "write_plots"]


@dataclass(frozen=True)
class Written:
    """What was written, and what there is to say.

    Attributes:
        files: pages, script and pictures.
        notes: a line for each thing that was skipped.
        advice: a line for each range to narrow and parameter to fix; what the search itself
            advises, it has said already.
        search: that was drawn, with what it took to draw it.
    """

    files: list[Path]
    notes: list[str]
    advice: list[str]
    search: DrawnSearch


def write_plots(
    results_file: Path,
    folder: Path,
    static: Literal["auto", "always", "never"] = "auto",
    verdict_file: Path | None = None,
    trials_file: Path | None = None,
) -> Written:
    """Draw a search: pages in `folder`, pictures in `folder`/static.

    A chart that the search has too few trials for is a page that says so, and no picture.

    Args:
        results_file: hpo_results.json.
        folder: created if it is missing.
        static: whether to draw PNG files; auto: where a browser is found and works.
        verdict_file: metrics/verdict.json, for the history; None: without a verdict.
        trials_file: metrics/hpo_trials.csv, for the front of a search of one objective; None:
            without it.

    Raises:
        DataError: if an input is missing or damaged.
        BrowserError: if `static` is always and no browser draws the pictures.
    """
    search = read_search(results_file, trials_file)
    verdict = read_verdict(verdict_file) if verdict_file else ""
    charts = [
        draw_history(search, verdict),
        draw_importance(search),
        draw_parallel(search),
        draw_front(search),
    ]
    files = write_pages(charts, folder)
    remove_pictures(charts, folder / "static")
    notes = []
    if static != "never":
        try:
            files += write_pictures(charts, folder / "static")
        except BrowserError as error:
            if static == "always":
                raise
            notes.append(f"no PNG files: {error} (visualize.static: never hides this line)")
    advice = [line for line in interpret(search) if line not in search.advice]
    return Written(files, notes, advice, search)
