"""What is read from dvc.lock."""

import json
from pathlib import Path
from typing import Any

import pytest

from twotower.common.errors import VerificationError
from twotower.verification.locked import Lock, Output


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
