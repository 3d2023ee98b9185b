"""What the stages prepare, hpo and refit do, one after the other, in this process."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from twotower.assessment.assess import Assessment
from twotower.assessment.looks import record_look
from twotower.assessment.summary import summary as assessment_summary
from twotower.common.paths import decompositions_folder
from twotower.common.progress import step
from twotower.config import Config
from twotower.data.prepared import PREPARED
from twotower.ingest import prepare
from twotower.ingest.summary import summary as data_summary
from twotower.notebook.script import starts_processes
from twotower.refit import RefitOutputs, num_parts, read_search, refit
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.outputs import SearchOutputs
from twotower.search.run_search import run_search
from twotower.search.warm_start import WARM_START

Say = Callable[[str], None]
Outputs = TypeVar("Outputs", SearchOutputs, RefitOutputs)


def run(root: Path, config: Config, say: Say) -> Assessment:
    """Prepare, search and refit.

    Args:
        root: folder of the project; the stages' outputs go where dvc.yaml says, below it.
        config: all parameters, with the raw files in `data.root`.
        say: shows a line.

    Raises:
        TwoTowerError: as the stages do.
    """
    with step("prepare"):
        report = prepare(config, root / PREPARED, root / "metrics" / "data.json")
    say(data_summary(report))
    searched = _search(root, config, say)
    with step("refit", num_parts(config)):
        assessment = refit(
            config,
            read_search(searched.results),
            root / PREPARED,
            _below(root, RefitOutputs()),
            decompositions_folder(root),
            say=say,
        )
    looks = record_look(root, assessment.verdict, assessment.per_user)
    for line in assessment_summary(assessment, looks):
        say(line)
    return assessment


def _search(root: Path, config: Config, say: Say) -> SearchOutputs:
    outputs = _below(root, SearchOutputs())
    console = _Console(config, say)
    try:
        results = run_search(
            _here(config), root, console, root / PREPARED, outputs, warm_start=root / WARM_START
        )
    finally:
        console.close()
    console.summary(results, [])
    return outputs


def _here(config: Config) -> Config:
    """One worker in this process: one of its own would run the first lines of a script again."""
    if starts_processes(config.hpo):
        return config
    return config.model_copy(update={"hpo": config.hpo.model_copy(update={"workers": 0})})


class _Console(SearchConsole):
    """Shows the search by the lines of another."""

    def __init__(self, config: Config, say: Say) -> None:
        super().__init__(Goals.of(config.hpo), config.hpo.timeout)
        self._say = say

    def say(self, line: str) -> None:
        """Show a line."""
        self._say(line)


def _below(root: Path, outputs: Outputs) -> Outputs:
    """The same files in another folder."""
    paths = {field.name: root / getattr(outputs, field.name) for field in fields(outputs)}
    return replace(outputs, **paths)
