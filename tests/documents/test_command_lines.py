"""Every command of a `console` block is one that its program accepts."""

import re

import pytest

from tests.documents.blocks import blocks, commands, console, documents
from tests.documents.programs import UsageError, check_line

ADVICE = re.compile(r"next: .*: (dvc exp run .*)")


@pytest.mark.parametrize("document", documents())
def test_every_command_line_can_be_typed(document: str) -> None:
    refused = []
    for command in (one for block in console(document) if block.is_read for one in commands(block)):
        try:
            check_line(command.line)
        except UsageError as error:
            refused.append(f"{command.place}: {command.line}: {error}")
    assert not refused


@pytest.mark.parametrize("document", documents())
def test_advice_that_is_quoted_can_be_followed(document: str) -> None:
    for block in blocks(document):
        for match in map(ADVICE.fullmatch, block.text.splitlines()):
            if match:
                check_line(match[1])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("twotower recomend --users all", "No such command"),
        ("twotower recommend --user all", "No such option"),
        ("twotower serve --port http", "valid integer"),
        ("twotower compare HEAD", "Missing argument"),
        ("twotower registry promote --version", "requires"),
        ("python stages/hpo.py --trials 5", "--trials"),
        ("python stages/refit.py --fast", "--fast"),
        ("python stages/search.py", "no file"),
        ("python -m benchmarks.qualty", "no module"),
        ("python -m benchmarks.quality ml-100k --folder", "--folder"),
        ("python run.py tests", "unknown arguments"),
        ("python run.py -- twotower chek", "No such command"),
        ("dvc exp runn", "usage: dvc exp"),
        ("dvc repro hpoo", "no stage hpoo"),
        ("dvc exp run -S hpo.n_trails=5", "n_trails"),
        ("dvc exp run -S hpo.n_trials=many", "n_trials"),
        ("dvc exp run -S '~hpo.fixed.loss'", "loss"),
        ("pip install -e '.[postgre]'", "no extra postgre"),
        ("A=1 dvc repro && two-tower check | head -2", "no such program"),
        ("twotower check 'data", "quotation"),
        ("cat <<END", "here-document"),
    ],
)
def test_a_wrong_command_line_is_refused(line: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        check_line(line)
