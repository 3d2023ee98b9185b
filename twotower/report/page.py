"""The page itself: everything that it shows, put into page.html, with all text escaped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from twotower.assessment.bars import in_order
from twotower.assessment.clusters import in_clusters
from twotower.assessment.looks import looks_text
from twotower.assessment.summary import comparison_text, setting_text, too_few
from twotower.common.errors import ConfigError
from twotower.common.files import write_text
from twotower.common.paths import check_place
from twotower.common.progress import step
from twotower.common.scorers import MODEL, RANDOM
from twotower.data.prepared import SPLITS
from twotower.evaluation.metrics import metric_label
from twotower.ingest.summary import not_used
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.front_chart import draw_front
from twotower.plots.history_chart import draw_history
from twotower.plots.importance_chart import draw_importance
from twotower.plots.interpretation import interpret
from twotower.plots.pages import with_commands
from twotower.plots.parallel_chart import draw_parallel
from twotower.report.data_charts import draw_activity, draw_long_tail, draw_timeline
from twotower.report.front import front_section
from twotower.report.item_map import draw_item_map, item_groups
from twotower.report.people import people
from twotower.report.score_charts import draw_gap, draw_scores, draw_slices, scorers
from twotower.report.search_charts import draw_curves, draw_parameters
from twotower.report.sources import Sources, read_sources
from twotower.tracking.git import git_tags

if TYPE_CHECKING:
    from twotower.report.backtest import BacktestSection

CLEAR = "rgba(0, 0, 0, 0)"
WIDE_HEIGHT = 560
"""Of a chart of the visualize stage, in pixels; on a narrow screen it scrolls."""
TONES = {"beats": "good", "signal": "fair"}
"""How the verdict looks, by its first word; others: poor."""


@dataclass(frozen=True)
class ScoreRow:
    """A scorer in the table of test scores, as text."""

    name: str
    value: str
    interval: str
    against: str
    setting: str


def write_report(
    out: Path, root: Path = Path(), *, anonymous: bool = False, search: DrawnSearch | None = None
) -> None:
    """Write the page of the finished pipeline in a repository.

    The page is one file, and a browser that shows it asks for no other.

    Args:
        out: the file to write.
        root: the repository.
        anonymous: number the users that are shown instead of naming their ids.
        search: of the repository, if it has been read already.

    Raises:
        ConfigError: if `out` cannot be a file, or params.yaml is not valid.
        DataError: if an output of a stage is missing or damaged.
        SearchError: if the study is damaged.
        ArtifactError: if the model is missing, damaged or of another format.
    """
    check_place(out)
    if out.is_dir():
        msg = f"{out}: is a folder; --out names the file to write"
        raise ConfigError(msg)
    with step("reading results"):
        sources = read_sources(root, search)
    with step("drawing"):
        page = render(sources, anonymous=anonymous)
    write_text(out, page)


def render(sources: Sources, *, anonymous: bool = False) -> str:
    """The whole page as HTML."""
    environment = Environment(
        loader=PackageLoader("twotower.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["plot"] = embed
    environment.filters |= {"metric": metric_label, "commands": with_commands}
    groups = item_groups(sources.model.artifacts)
    verdict = sources.metrics["verdict"]
    return environment.get_template("page.html").render(
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the installed library's script
        name=Path(sources.config.data.root).name,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=verdict,
        tone=_tone(verdict.get("sentence", "")),
        why_unscored=sources.why_unscored,
        looks=looks_text(sources.looks, verdict),
        tiles=list(_tiles(sources)),
        advice=list(dict.fromkeys(_advice(sources))),
        score_rows=list(_score_rows(sources)),
        item_groups=list(_item_groups(sources.metrics["item_groups"])),
        charts=_charts(sources),
        slices=draw_slices(sources),
        front=front_section(sources.search),
        backtest=_backtest_section(sources.backtest),
        parameters=draw_parameters(sources.search),
        item_map=draw_item_map(sources.model.artifacts, sources.titles, groups),
        people=people(sources, groups, anonymous=anonymous),
        data=sources.metrics["data"],
        not_used=list(not_used(sources.metrics["data"])),
        splits=SPLITS,
        hyperparameters=list(_hyperparameters(sources)),
        git=git_tags(sources.root),
        is_lock_committed=sources.is_lock_committed,
        provenance=sources.results["provenance"],
        identity=sources.results["identity"],
    )


def _tone(sentence: str) -> str:
    return next((tone for word, tone in TONES.items() if sentence.startswith(word)), "poor")


def embed(chart: Chart) -> Markup:
    """A chart as HTML without the script, which the page has once; or why there is none."""
    if chart.figure is None:
        return Markup('<p class="reason">{}</p>').format(chart.reason)
    chart.figure.update_layout(paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, dragmode=False)
    text = chart.figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        include_mathjax=False,
        div_id=f"chart-{chart.name}",  # sections have ids too
        # Where nothing hovers, as on a phone, the bar of buttons would hide the bars below it.
        config={"displayModeBar": False, "responsive": True},
    )
    return Markup(text)  # noqa: S704 - plotly escapes what it is given


def _charts(sources: Sources) -> dict[str, Chart]:
    """By name, the charts that have a place of their own in the page."""
    search, rows = sources.search, sources.rows
    wide = [draw_history(search), draw_importance(search), draw_parallel(search)]
    if search.has_several:
        wide.append(draw_front(search))
    for chart in wide:
        if chart.figure is not None:
            chart.figure.update_layout(height=WIDE_HEIGHT)
    charts = [
        *wide,
        draw_scores(sources),
        draw_gap(sources),
        draw_curves(sources.trials, search),
        draw_long_tail(rows),
        draw_activity(rows),
        draw_timeline(rows),
    ]
    return {chart.name: chart for chart in charts}


def _tiles(sources: Sources) -> Iterator[tuple[str, str, str]]:
    """The main numbers: what, the number, and what to hold it against."""
    data = sources.metrics["data"]
    if sources.is_scored:
        objective = sources.metrics["verdict"]["objective"]
        low, high = sources.metrics["intervals"]["intervals"][MODEL][objective]
        scores, rival = dict(scorers(sources)), sources.metrics["slices"]["compared_with"]
        yield (
            f"Test {metric_label(objective)}",
            f"{scores[MODEL]:.3f}",
            f"95 % interval {low:.3f} to {high:.3f}{too_few(low, high)}",
        )
        yield (
            "Strongest rival",
            f"{scores[rival]:.3f}",
            f"{rival}; a random ranking has {scores[RANDOM]:.3f}",
        )
        are_new = "num_folded_in_rows" in sources.metrics["test"]["evaluated"]
        clusters = in_clusters(sources.metrics["verdict"].get("num_clusters"))
        yield (
            "Test users",
            f"{sources.metrics['verdict']['num_users']:,}",
            f"{'new to the model, ' * are_new}with something to find{clusters}",
        )
    yield (
        "Data",
        f"{data['rows']['total']:,}",
        f"events of {data['users']['total']:,} users and {data['items']['total']:,} items",
    )


def _advice(sources: Sources) -> Iterator[str]:
    """What to do next: what the assessment says, then what the search says."""
    if sources.is_scored:
        yield from sources.metrics["verdict"]["advice"]
        if advice := sources.metrics["slices"]["advice"]:
            yield advice
    yield from interpret(sources.search)


def _score_rows(sources: Sources) -> Iterator[ScoreRow]:
    if not sources.is_scored:
        return
    verdict = sources.metrics["verdict"]
    intervals = sources.metrics["intervals"]["intervals"]
    for name, value in scorers(sources):
        interval = intervals.get(name)
        comparison = verdict["comparisons"].get(name)
        yield ScoreRow(
            name,
            f"{value:.4f}",
            _ends(interval and interval[verdict["objective"]]),
            comparison_text(comparison) if comparison else verdict["left_out"].get(name, ""),
            setting_text(sources.metrics["test"][name]),
        )


def _ends(interval: Sequence[float] | None) -> str:
    """An interval in words; empty without one."""
    return "" if interval is None else "{:.4f} to {:.4f}".format(*interval) + too_few(*interval)


def _item_groups(content: Mapping[str, Any]) -> Iterator[tuple[str, str, list[ScoreRow]]]:
    """Name, size and scores of each group of items; none where they are not told apart."""
    if not content["scored"]:
        return
    metric = content["metric"]
    for name, group in content["groups"].items():
        sizes = group["evaluated"]
        rows = []
        for scorer in in_order(group["metrics"], metric):
            interval = group["intervals"].get(scorer)
            comparison = group["comparisons"].get(scorer)
            against = comparison_text(comparison) if comparison else ""
            value = f"{group['metrics'][scorer][metric]:.4f}"
            rows.append(ScoreRow(scorer, value, _ends(interval), against, ""))
        yield name, f"{sizes['num_users']:,} users, {sizes['num_items']:,} items", rows


def _hyperparameters(sources: Sources) -> Iterator[tuple[str, Any, Any, bool]]:
    """Name, value in the final model, value in params.yaml, and whether it was searched."""
    meta = sources.model.artifacts.meta
    configured: Mapping[str, Any] = {
        **sources.config.model.model_dump(mode="json"),
        **sources.config.train.model_dump(mode="json"),
    }
    space = sources.config.search_space
    searched = {space.target(name) for name in space.searched}
    values = {**meta["model"], **meta["train"]}
    for name in sorted(values, key=lambda name: (name not in searched, name)):
        yield name, values[name], configured.get(name), name in searched


def _backtest_section(content: Mapping[str, Any] | None) -> "BacktestSection | None":
    if content is None:
        return None
    from twotower.report.backtest import backtest_section  # imports torch

    return backtest_section(content)
