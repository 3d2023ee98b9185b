"""Figures of the sample data in the documents are those of the metrics in git."""

import re

import pytest

from tests.documents import sample_run
from tests.documents.blocks import blocks, commands, console, documents
from tests.documents.shape import stands_for

DIFFERENCE = re.compile(r"metrics/(headline/\w+\.json) +(\w+)\.(\w+) +\S+ +(\S+) +\S+")


@pytest.mark.parametrize("document", documents())
def test_lines_of_a_run_are_those_of_the_sample(document: str) -> None:
    """In blocks that show one; others are marked as not run."""
    printed = sample_run.printed()
    wrong = []
    for block in blocks(document):
        lines = block.text.splitlines()
        if not block.why_not_run and any(map(sample_run.HEADING.match, lines)):
            own = [line for line in lines if sample_run.FIGURES.match(line)]
            wrong += [line for line in own if not any(stands_for(line, real) for real in printed)]
    assert not wrong, "or <!-- not run: reason -->, if it is another run"


@pytest.mark.parametrize("document", documents())
def test_the_workspace_has_the_metrics_that_a_difference_shows(document: str) -> None:
    for block in console(document):
        for command in commands(block):
            if command.line != "dvc metrics diff baseline":
                continue
            rows = [match for line in command.output if (match := DIFFERENCE.fullmatch(line))]
            assert rows, command.place
            for name, section, metric, value in (row.groups() for row in rows):
                real = sample_run.content(name)[section][metric]
                assert float(value) == pytest.approx(real, abs=6e-6), command.place
