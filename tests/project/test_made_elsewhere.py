"""What hpo and refit say where dvc.lock may come out other than it was committed."""

import hashlib
import json
from pathlib import Path

import pytest

from twotower.project import made_elsewhere
from twotower.project.made_elsewhere import lock_note, say_made_elsewhere

AVX2, AVX512, PORTABLE = (f"Linux x86_64 {name}" for name in ("AVX2", "AVX512", "portable"))
ARM = "Darwin arm64 DEFAULT"
IDLE = "portable: true has no effect here: it needs Linux"


@pytest.mark.parametrize(
    ("made_on", "here", "idle"),
    [
        (AVX2, AVX2, ""),
        (PORTABLE, PORTABLE, ""),
        (None, PORTABLE, ""),
        (None, AVX2, ""),  # as likely as not it was made on one
        (None, "Windows AMD64 AVX2", ""),
        (ARM, ARM, IDLE),
    ],
)
def test_there_is_nothing_to_say_where_bytes_should_be_equal(
    made_on: str | None, here: str, idle: str
) -> None:
    assert lock_note(made_on, here, device="cpu", idle=idle) is None


@pytest.mark.parametrize(
    ("made_on", "here", "device", "idle", "begin"),
    [
        (AVX512, AVX2, "cpu", "", f"dvc.lock was made on {AVX512}, and this is {AVX2}: outputs"),
        (PORTABLE, ARM, "cpu", IDLE, f"dvc.lock was made on {PORTABLE}, and this is {ARM}: "),
        (None, ARM, "cpu", "", f"this is {ARM}: outputs may differ from those of dvc.lock"),
        (None, "Linux aarch64 DEFAULT", "cpu", "", "this is Linux aarch64 DEFAULT: outputs may"),
        (None, AVX2, "cpu", IDLE, f"{IDLE}, so outputs may differ from those of dvc.lock"),
        (AVX2, AVX2, "cuda", "", "with CUDA, outputs may differ from those of dvc.lock"),
    ],
)
def test_one_line_says_why_outputs_may_differ_and_what_tells_by_how_much(
    made_on: str | None, here: str, device: str, idle: str, begin: str
) -> None:
    note = lock_note(made_on, here, device=device, idle=idle)
    assert note is not None
    assert note.startswith(begin)
    assert note.endswith("; twotower verify says by how much")
    assert "\n" not in note


RESULTS = json.dumps({"provenance": {"platform": AVX512}})
DIGEST = hashlib.md5(RESULTS.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, of a machine with AVX2; its lock names the results above."""
    file = {"path": "hpo_results.json", "md5": DIGEST}
    lock = {"stages": {"hpo": {"outs": [file]}, "refit": {"deps": [file]}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock), encoding="utf-8")
    monkeypatch.setattr(made_elsewhere, "platform_here", lambda: AVX2)
    monkeypatch.setattr(made_elsewhere, "why_not", lambda: IDLE)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("stage", ["hpo", "refit"])
@pytest.mark.parametrize("place", ["hpo_results.json", f".dvc/cache/files/md5/{DIGEST[:2]}"])
def test_results_say_on_what_the_lock_was_made(
    locked: Path, place: str, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = locked / place if place.endswith(".json") else locked / place / DIGEST[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RESULTS, encoding="utf-8")
    say_made_elsewhere(stage, device="cpu", portable=False)
    assert capsys.readouterr().out == (
        f"note: dvc.lock was made on {AVX512}, and this is {AVX2}: outputs may differ; "
        "twotower verify says by how much\n"
    )


def test_results_that_are_not_those_of_the_lock_say_nothing_of_it(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (locked / "hpo_results.json").write_text(RESULTS + "\n", encoding="utf-8")
    say_made_elsewhere("hpo", device="cpu", portable=False)
    assert capsys.readouterr().out == ""
    say_made_elsewhere("hpo", device="cpu", portable=True)
    assert capsys.readouterr().out.startswith(f"note: {IDLE}, so outputs may differ")


def test_without_a_lock_there_is_nothing_to_differ_from(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_made_elsewhere("prepare", device="cuda", portable=True)
    (locked / "dvc.lock").unlink()
    say_made_elsewhere("hpo", device="cuda", portable=True)
    assert capsys.readouterr().out == ""
