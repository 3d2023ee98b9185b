"""A script that a search's processes would run again is refused before anything is done."""

import subprocess
import sys
from pathlib import Path

import pytest

from twotower.common.errors import ConfigError
from twotower.config.hpo import HpoConfig
from twotower.notebook.script import RULE, starts_processes

SCRIPT = """
from twotower.config.hpo import HpoConfig
from twotower.notebook.script import check_script
def main():
    check_script(HpoConfig(workers=2))
{call}
print("went on")
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"workers": 0}, False),
        ({"workers": 2}, True),
        ({"timeout_grace": 1}, True),
        ({"executor": "dask"}, True),
        ({"executor": "dask", "dask": {"address": "tcp://host:1"}}, False),
    ],
)
def test_when_processes_are_started(settings: dict[str, object], expected: bool) -> None:
    assert starts_processes(HpoConfig.model_validate(settings)) is expected


@pytest.mark.parametrize(
    ("call", "is_refused"),
    [
        ("main()", True),
        ("for _ in range(1):\n    main()", True),
        ("if __name__ == '__main__':\n    main()", False),
    ],
)
def test_a_call_outside_any_condition_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, is_refused: bool
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(call=call), encoding="utf-8")
    main = type(sys)("__main__")
    main.__file__ = str(script)
    main.__spec__ = None
    monkeypatch.setitem(sys.modules, "__main__", main)
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
    if not is_refused:
        exec(code, vars(main))  # noqa: S102
        return
    with pytest.raises(ConfigError) as error:
        exec(code, vars(main))  # noqa: S102
    assert str(error.value) == RULE


@pytest.mark.parametrize(
    ("condition", "is_told"), [("True", True), ("__name__ == '__main__'", False)]
)
def test_what_may_be_overlooked_is_told_where_workers_have_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, is_told: bool
) -> None:
    script = tmp_path / "script.py"
    died = "its worker died in each of 3 tries"
    script.write_text(
        "from twotower.notebook.script import hint\n"
        f"if {condition}:\n    said = hint('{died}'), hint('the loss is not finite')\n",
        encoding="utf-8",
    )
    main = type(sys)("__main__")
    main.__file__ = str(script)
    main.__spec__ = None
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), vars(main))  # noqa: S102
    assert main.said == (f"; {RULE}" if is_told else "", "")


def test_in_a_console_nothing_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    main = type(sys)("__main__")
    main.__spec__ = None
    monkeypatch.setitem(sys.modules, "__main__", main)
    code = compile(SCRIPT.format(call="main()"), "<stdin>", "exec")
    exec(code, vars(main))  # noqa: S102


def test_libraries_are_loaded_by_the_fit_and_not_before() -> None:
    code = "import sys, twotower; twotower.fit; sys.exit(not {'torch', 'optuna'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
