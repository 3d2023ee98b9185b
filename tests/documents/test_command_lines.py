"""Every command of a `console` block is one that its program accepts."""

import pytest

from tests.documents.blocks import blocks, commands, documents
from tests.documents.programs import UsageError, check_line


@pytest.mark.parametrize("document", documents())
def test_every_command_line_can_be_typed(document: str) -> None:
    refused = []
    for block in blocks(document):
        for command in commands(block) if block.language == "console" else []:
            try:
                check_line(command.line)
            except UsageError as error:
                refused.append(f"{command.place}: {command.line}: {error}")
    assert not refused


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
