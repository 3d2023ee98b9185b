"""What is read from dvc.lock."""

import json
from pathlib import Path
from typing import Any

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import MultipleInvalid

from twotower.common.errors import ConfigError, VerificationError
from twotower.common.yaml_file import read_yaml
from twotower.verification.locked import Lock, Output, check_lock


def lock(**changes: Any) -> Lock:
    """Of two stages."""
    first = {
        "cmd": "python a.py",
        "deps": [{"path": "raw", "md5": "1.dir"}, {"path": "a.py", "md5": "2"}],
        "params": {"params.yaml": {"seed": 42, "data": {"root": "raw"}}},
        "outs": [{"path": "out", "md5": "3.dir"}],
    }
    second = {"cmd": "b", "deps": [{"path": "out", "md5": "3.dir"}], "outs": [{"path": "m.json"}]}
    return Lock({"first": first | changes, "second": second})


def test_outputs_are_those_of_all_stages() -> None:
    assert lock().outputs == [Output("out", "3.dir"), Output("m.json", "")]
    assert [output.is_folder for output in lock().outputs] == [True, False]


def test_other_inputs_are_named_without_what_the_stages_made_themselves() -> None:
    assert lock().other_inputs(lock()) == []
    other = lock(outs=[{"path": "out", "md5": "9.dir"}], cmd="python -u a.py", deps=[])
    assert lock().other_inputs(other) == ["a.py", "dvc.yaml", "raw"]
    other = lock(params={"params.yaml": {"seed": 43, "data": {"root": "raw"}, "new": 1}})
    assert lock().other_inputs(other) == ["new", "seed"]


def test_it_is_read_from_the_folder_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": dict(lock().stages)}), "utf-8")
    assert Lock.read(tmp_path) == lock()


def test_without_one_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match=r"^dvc\.lock: the commit has none to verify"):
        Lock.read(tmp_path)


WHOLE = """\
schema: '2.0'
stages:
  prepare:
    cmd: python stages/prepare.py
    deps:
    - path: data/sample
      hash: md5
      md5: b3356f20727dc19ee215118140f2286d.dir
    outs:
    - path: metrics/data.json
      size: 300
"""


@pytest.mark.parametrize("text", [WHOLE, "schema: '2.0'\nstages: {}\n", None])
def test_a_whole_lock_or_none_is_no_problem(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "dvc.lock").write_text(text, "utf-8")
    check_lock(tmp_path)


@pytest.mark.parametrize(
    "end", ["", "schema: '2", "stages:", "  prepare:", "cmd", "deps:", "- ", "- pa"]
)
def test_a_lock_that_was_cut_short_is_recognised(end: str, tmp_path: Path) -> None:
    cut = WHOLE[: WHOLE.index(end) + len(end)]
    (tmp_path / "dvc.lock").write_text(cut, "utf-8")
    with pytest.raises(VerificationError, match=r"^dvc\.lock: damaged, .* git restore dvc\.lock "):
        check_lock(tmp_path)


def test_a_list_of_runs_that_was_cut_short_is_recognised(tmp_path: Path) -> None:
    running = tmp_path / ".dvc" / "tmp" / "rwlock"
    running.parent.mkdir(parents=True)
    running.write_text("{}", "utf-8")
    check_lock(tmp_path)
    running.write_text("", "utf-8")
    with pytest.raises(VerificationError, match=r"^\.dvc/tmp/rwlock: damaged, .*: delete it, "):
        check_lock(tmp_path)


def test_cuts_that_dvc_refuses_are_recognised(tmp_path: Path) -> None:
    digest = WHOLE.index(" b3356") + 2  # DVC refuses one of a byte or two; we do not
    for end in set(range(0, len(WHOLE), 3)) - {digest, digest + 1}:
        (tmp_path / "dvc.lock").write_text(WHOLE[:end], "utf-8")
        try:
            COMPILED_LOCKFILE_SCHEMA(read_yaml(tmp_path / "dvc.lock"))
        except (ConfigError, MultipleInvalid):
            with pytest.raises(VerificationError):
                check_lock(tmp_path)
